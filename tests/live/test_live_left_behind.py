"""Sessions whose processes were killed: what they left is told, and does not stay."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.cli.calling import Caller

from runferry.archive.lock import FileLock
from runferry.cli import living
from runferry.live.journal import Journal
from runferry.live.layout import Layout, Stated
from runferry.live.spare import clear_spares
from runferry.python_apart import environment_apart


@pytest.fixture
def killed(tmp_path: Path) -> Layout:
    """A session of a process that was killed before it logged anything."""
    layout = Layout(tmp_path / "session")
    Stated((f"jsonl:{tmp_path / 'lines'}",)).write(layout.root)
    code = (
        "import os, pathlib, signal, sys; from runferry.live.journal import Journal; "
        "Journal(pathlib.Path(sys.argv[1])).begin(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    command = [sys.executable, "-c", code, str(layout.journals)]
    done = subprocess.run(command, env=environment_apart(), check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    return layout


def _spares(layout: Layout) -> list[str]:
    return [path.name for path in layout.journals.iterdir() if path.name.endswith("-full")]


def test_the_spare_file_of_a_killed_process_goes_and_that_of_a_living_one_stays(
    killed: Layout,
) -> None:
    journal = Journal(killed.journals)
    journal.begin()
    assert len(_spares(killed)) == 2
    clear_spares(killed.journals)
    (left,) = _spares(killed)
    assert left.endswith(f"-{os.getpid()}-full")
    journal.close()


def test_a_session_that_was_resumed_has_no_spare_file_any_more(
    killed: Layout, tmp_path: Path
) -> None:
    assert _spares(killed)
    assert Caller(tmp_path)("resume", killed.root).code == 0
    assert not _spares(killed)


@pytest.mark.parametrize("trains", [False, True])
def test_resuming_waits_for_a_delivery_that_just_ends_and_for_none_while_somebody_trains(
    killed: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trains: bool
) -> None:
    journal, other = Journal(killed.journals), FileLock(killed.delivery_lock)
    if trains:
        journal.begin()
    other.acquire()
    ending = SimpleNamespace(monotonic=time.monotonic, sleep=lambda _: other.release())
    monkeypatch.setattr(living, "time", ending)
    answer = Caller(tmp_path)("resume", killed.root)
    assert ("another process" in answer.err, answer.code) == ((True, 1) if trains else (False, 0))
    other.release()
    journal.close()


def test_watching_ends_where_the_delivery_died_before_it_wrote_a_status(
    killed: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(living, "_BEGINNING_SECONDS", 0.1)
    answer = Caller(tmp_path)("status", killed.root, "--watch", "--json")
    assert answer.code == 1
    assert answer.json["error"]["what"].startswith("nobody delivers this session")
    assert f"runferry resume {killed.root}" in answer.err


def test_resuming_waits_for_nobody_where_no_lock_says_who_is_at_work(
    killed: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without locks every session is believed to be delivered: on Windows it took half a minute."""

    def waits(_: float) -> None:
        raise AssertionError

    monkeypatch.setattr(living, "is_delivered", lambda _: True)
    monkeypatch.setattr(living, "_CAN_TELL", False)
    monkeypatch.setattr(living, "time", SimpleNamespace(monotonic=time.monotonic, sleep=waits))
    assert Caller(tmp_path)("resume", killed.root).code == 0
