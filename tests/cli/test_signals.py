"""The first Ctrl-C ends at the next safe point, the second at once; a bar only on a terminal."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.cli.calling import command, environment, in_new_process
from tests.cli.terminals import on_a_terminal

from runferry.archive.store import Archive
from runferry.testing.samples import plain

pty = pytest.importorskip("pty", reason="pseudo-terminals are of POSIX")

RUNS = 100


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many") / "archive"
    archive = Archive.open(folder, create=True)
    for number in range(RUNS):
        sample = plain(f"run-{number}")
        with archive.draft(sample.run) as draft:
            for chunk in sample.chunks:
                draft.put(chunk)
            draft.commit()
    return folder


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_stops_between_runs_and_the_next_call_goes_on(
    many: Path, tmp_path: Path, name: signal.Signals
) -> None:
    target = tmp_path / "copy"
    args = ("pull", many, target, "-v", "--json")
    with subprocess.Popen(
        command(*args), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if ": new" in line:
                break
        process.send_signal(name)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "stopping at the next safe point" in err
    assert '"interrupted": true' in out
    done = sum(1 for _ in Archive.open(target).records())
    assert 0 < done < RUNS
    again = in_new_process("pull", many, target, "--json")
    assert again.code == 0, again.err
    assert again.json["counts"] == {"new": RUNS - done, "unchanged": done}


@pytest.mark.parametrize(
    "args",
    [
        ("inspect", "{many}", "--json"),
        (
            "sql",
            "{many}",
            "SELECT sum(a.i * b.i) FROM range(10_000_000) a(i), range(10_000_000) b(i)",
        ),
        ("sql", "{many}", "SELECT i FROM range(1_000_000_000) t(i)"),
    ],
    ids=["inspect", "sql-before-rows", "sql-between-rows"],
)
def test_a_call_that_is_interrupted_ends_its_document(many: Path, args: tuple[str, ...]) -> None:
    """Also where no transfer is at work that could stop at a safe point."""
    spelled = [arg.format(many=many) for arg in args]
    script = _WAITING_INSPECT if args[0] == "inspect" else _SQL
    with subprocess.Popen(
        [sys.executable, "-c", script, *spelled, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        text=True,
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "at work\n"
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        try:
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130, err
    assert "error: interrupted" in err
    document = json.loads(out)
    assert document["exit_code"] == 130
    assert document["error"]["kind"] == "Interrupted"


_HEARS = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
"""

_WAITING_INSPECT = (
    _HEARS
    + """
import sys, time
from runferry.archive.store import Archive
def slow(*_):
    print("at work", file=sys.stderr, flush=True)
    time.sleep(60)
Archive.inventory = slow
from runferry.cli import main
main()
"""
)

_SQL = (
    _HEARS
    + """
import sys
from runferry.archive.store import Archive
connect = Archive.sql
def told(archive):
    connection = connect(archive)
    print("at work", file=sys.stderr, flush=True)
    return connection
Archive.sql = told
from runferry.cli import main
main()
"""
)

_STUBBORN = """
import time
from runferry.cli.signals import stopping
with stopping(lambda: None):
    print("ready", flush=True)
    while True: time.sleep(60)
"""


def test_the_second_signal_ends_at_once_whatever_is_going_on() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _STUBBORN], stdout=subprocess.PIPE, env=environment()
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 130


def test_a_bar_is_drawn_on_a_terminal_and_taken_for_nothing_else(
    many: Path, tmp_path: Path
) -> None:
    shown = on_a_terminal("pull", many, tmp_path / "copy", cwd=tmp_path)
    assert "━" in shown
    assert f"{RUNS} runs" in shown
    assert shown.rstrip().endswith("losses: none")
    piped = in_new_process("pull", many, tmp_path / "another")
    assert "━" not in piped.out + piped.err
    assert "\x1b" not in piped.out + piped.err


def test_no_color_means_no_colour_on_a_terminal_too(many: Path, tmp_path: Path) -> None:
    colours = re.compile(r"\x1b\[[0-9;]*m")
    (tmp_path / "a").mkdir()
    plain_text = on_a_terminal("ls", many, cwd=tmp_path, NO_COLOR="1")
    assert not any("3" in code[2:3] for code in colours.findall(plain_text))
    assert colours.search(on_a_terminal("ls", many, cwd=tmp_path))


def test_quiet_draws_no_bar(many: Path, tmp_path: Path) -> None:
    assert "━" not in on_a_terminal("pull", many, tmp_path / "copy", "-q", cwd=tmp_path)
