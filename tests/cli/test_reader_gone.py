"""Who reads stdout may leave, as `head` does once it has its lines: a quiet end, and code 141.

A file that takes no more is a failure instead, which is told.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from tests.cli.calling import command, environment, in_new_process

EXAMPLE = Path(__file__).parents[2] / "examples" / "wandb"


def unread(*args: str | Path, folder: Path, with_stderr: bool = False) -> tuple[int, str]:
    """The exit code of a call whose stdout nobody reads, and what it said on stderr."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            command(*args), stdout=writing, stderr=writing if with_stderr else subprocess.PIPE,
            text=True, timeout=60, env=environment(), cwd=folder, check=False,
        )  # fmt: skip
    finally:
        os.close(writing)
    return done.returncode, done.stderr or ""


@pytest.mark.parametrize(
    "words",
    ["--help", "ls EXAMPLE", "ls EXAMPLE --json", "inspect EXAMPLE", "plan EXAMPLE csv:out",
     "sql ARCHIVE select-1", "push ARCHIVE csv:out -v", "ls nowhere --json"],
)  # fmt: skip
def test_a_verb_whose_answer_nobody_reads_ends_with_141_and_no_traceback(
    words: str, tmp_path: Path
) -> None:
    if "ARCHIVE" in words:
        assert in_new_process("pull", EXAMPLE, tmp_path / "archive").code == 0
    meant = {"EXAMPLE": EXAMPLE, "ARCHIVE": tmp_path / "archive", "select-1": "select 1"}
    args = [str(meant.get(word, word)) for word in words.split()]
    code, said = unread(*args, folder=tmp_path)
    assert code == 141
    assert "Traceback" not in said
    assert "BrokenPipe" not in said
    assert ("error: " in said) == ("nowhere" in words)


@pytest.mark.parametrize("with_stderr", [False, True])
def test_what_was_moved_when_the_reader_left_is_whole(tmp_path: Path, with_stderr: bool) -> None:
    code, said = unread(
        "pull", EXAMPLE, "./archive", "--log-file", "log", folder=tmp_path, with_stderr=with_stderr
    )
    assert (code, said) == (141, "")
    assert "ended with exit code 141" in (tmp_path / "log").read_text().splitlines()[-1]
    again = in_new_process("pull", EXAMPLE, tmp_path / "archive")
    assert "2 unchanged" in again.out


def test_a_verb_of_which_only_the_remarks_are_unread_does_its_work(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        command("pull", EXAMPLE, "./archive", "-vv"), stdout=subprocess.PIPE, stderr=writing,
        text=True, timeout=60, env=environment(), cwd=tmp_path, check=False,
    )  # fmt: skip
    os.close(writing)
    assert done.returncode == 0
    assert "2 new" in done.stdout


@pytest.mark.parametrize("closed", ["1>&-", "2>&-", "1>&- 2>&-"])
def test_a_verb_whose_streams_are_closed_from_the_beginning_does_its_work(
    tmp_path: Path, closed: str
) -> None:
    script = f'exec "$@" {closed}'
    called = ["sh", "-c", script, "sh", *command("pull", EXAMPLE, "./archive", "-v")]
    assert subprocess.run(called, env=environment(), cwd=tmp_path, check=False).returncode == 0
    assert "2 unchanged" in in_new_process("pull", EXAMPLE, tmp_path / "archive").out


@pytest.mark.parametrize(
    "words", ["--version", "formats", "ls EXAMPLE --json", "pull EXAMPLE ./archive --log-file log"]
)
def test_an_answer_that_a_full_disk_cannot_take_is_an_error_that_says_so(
    tmp_path: Path, words: str
) -> None:
    args = [EXAMPLE if word == "EXAMPLE" else word for word in words.split()]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command(*args), stdout=full, stderr=subprocess.PIPE, text=True, timeout=60,
            env=environment(), cwd=tmp_path, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    what, nothing, hint = done.stderr.splitlines()
    assert what == "error: the answer cannot be written: stdout: No space left on device"
    assert (nothing, hint.split(":")[0]) == ("", "hint")
    if "pull" in words:
        last = (tmp_path / "log").read_text().splitlines()[-1]
        assert "ended with exit code 1: the answer cannot be written" in last
        assert "2 unchanged" in in_new_process("pull", EXAMPLE, tmp_path / "archive").out


def test_remarks_that_a_full_disk_cannot_take_cost_the_verb_nothing(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command("pull", EXAMPLE, "./archive", "-vv"), stdout=subprocess.PIPE, stderr=full,
            text=True, timeout=60, env=environment(), cwd=tmp_path, check=False,
        )  # fmt: skip
    assert done.returncode == 0
    assert "2 new" in done.stdout


def test_a_log_that_a_full_disk_cannot_take_is_warned_of_once_and_costs_no_work(
    tmp_path: Path,
) -> None:
    answer = in_new_process("pull", EXAMPLE, tmp_path / "archive", "--log-file", "/dev/full")
    assert answer.code == 0
    assert "2 new" in answer.out
    assert answer.err == (
        "warning: nothing more is written to the log: /dev/full: No space left on device\n"
    )
