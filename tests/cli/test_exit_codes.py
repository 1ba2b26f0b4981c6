"""Each exit code of the table in docs/cli.md, by a call of the program that ends with it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.calling import Answer, command, environment, in_new_process

from runferry.archive.store import Archive
from runferry.testing.samples import all_samples

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "wandb"


def done(folder: Path, nasty: Path) -> Answer:
    return in_new_process("pull", EXAMPLE, folder / "archive")


def failed(folder: Path, nasty: Path) -> Answer:
    return in_new_process("ls", folder / "nothing")


def failed_for_an_archive_of_an_earlier_format(folder: Path, nasty: Path) -> Answer:
    in_new_process("pull", EXAMPLE, folder / "archive")
    (folder / "archive" / "archive.json").write_text('{"format": "runferry-archive", "version": 1}')
    return in_new_process("ls", folder / "archive")


def wrong_option(folder: Path, nasty: Path) -> Answer:
    return in_new_process("pull", EXAMPLE, folder / "archive", "--wrokers", "3")


def wrong_setting(folder: Path, nasty: Path) -> Answer:
    return in_new_process("pull", EXAMPLE, folder / "archive", "--rate", "0")


def no_run_chosen(folder: Path, nasty: Path) -> Answer:
    return in_new_process("pull", EXAMPLE, folder / "archive", "--run", "none")


def lossy(folder: Path, nasty: Path) -> Answer:
    return in_new_process("plan", nasty, f"tensorboard:{folder / 'runs'}")


def some_failed(folder: Path, nasty: Path) -> Answer:
    shutil.copytree(nasty, folder / "archive")
    next((folder / "archive" / "commits").rglob("*.json")).write_text("{")
    return in_new_process("pull", folder / "archive", folder / "copy", "--allow", "dropped")


def interrupted(folder: Path, nasty: Path) -> Answer:
    with subprocess.Popen(
        command("pull", nasty, folder / "copy", "-v"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        text=True,
    ) as process:
        assert process.stderr is not None
        said = ""
        while ": new" not in said:
            said += process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    return Answer(process.returncode, out, said + err)


def unread(folder: Path, nasty: Path) -> Answer:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as pipe:
        done = subprocess.run(
            command("ls", EXAMPLE), stdout=pipe, stderr=subprocess.PIPE, text=True,
            env=environment(), timeout=60, check=False,
        )  # fmt: skip
    return Answer(done.returncode, "", done.stderr)


WAYS: list[tuple[int, Callable[[Path, Path], Answer]]] = [
    (0, done),
    (1, failed),
    (1, failed_for_an_archive_of_an_earlier_format),
    (2, wrong_option),
    (2, wrong_setting),
    (2, no_run_chosen),
    (3, lossy),
    (4, some_failed),
    (130, interrupted),
    (141, unread),
]


@pytest.mark.parametrize(("code", "way"), WAYS, ids=lambda value: getattr(value, "__name__", value))
def test_a_call_ends_with_the_code_that_the_table_gives_it(
    code: int, way: Callable[[Path, Path], Answer], tmp_path: Path, nasty: Path
) -> None:
    answer = way(tmp_path, nasty)
    assert answer.code == code, answer.err
    assert bool(answer.err) == (code not in (0, 141))


def test_the_table_has_these_codes_and_no_others() -> None:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    table = [int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)]
    assert table == sorted({code for code, _ in WAYS})


def test_an_upgrade_that_leaves_a_damaged_run_says_so_by_its_code(
    tmp_path: Path, nasty: Path
) -> None:
    shutil.copytree(nasty, tmp_path / "archive")
    manifest = tmp_path / "archive" / "archive.json"
    manifest.write_text(manifest.read_text().replace('"version": 2', '"version": 1'))
    next((tmp_path / "archive" / "commits").rglob("*.json")).write_text("{")
    answer = in_new_process("upgrade", tmp_path / "archive")
    assert answer.code == 4
    runs = len(list(all_samples(keys=20)))
    assert answer.out == f"version 1 became 2: {runs - 1} runs upgraded\n"
    assert "remove this file and pull the run again" in answer.err
    assert Archive.open(tmp_path / "archive")
    again = in_new_process("upgrade", tmp_path / "archive")
    assert (again.code, again.out) == (4, "")
    assert "remove this file and pull the run again" in again.err
