"""Rounds: what a follower took is taken again by the next one, in the same order."""

from __future__ import annotations

import contextlib
import json
import os
import resource
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from runferry.live.follower import Follower
from runferry.live.frames import Kind
from runferry.live.journal import Journal
from runferry.live.replicas.all import Replicas


def test_replicas_made_again_are_the_same_bytes(tmp_path: Path) -> None:
    """However the rounds were cut, and also where the last write of a replica was cut short."""
    source = json.dumps({"tracker": "mlflow", "run": "r", "store": "s"})
    journal = Journal(tmp_path / "journal")
    follower = Follower(tmp_path / "journal", tmp_path / "rounds", Replicas(tmp_path / "one"))
    for number in range(40):
        call = {"op": "batch", "metrics": [["loss", number, number, number]]}
        journal.append("mlflow", Kind.CALL, source, json.dumps(call).encode())
        if number % 7 == 0:
            assert follower.advance()
    (made,) = (tmp_path / "one" / "calls").iterdir()
    before = made.read_bytes()
    os.truncate(made, len(before) - 5)
    follower.close()
    again = Follower(tmp_path / "journal", tmp_path / "rounds", Replicas(tmp_path / "one"))
    assert made.read_bytes() == before
    while again.advance():
        pass
    assert len(made.read_bytes().splitlines()) == 41
    again.close()
    journal.close()


@pytest.mark.parametrize("is_killed", [False, True], ids=["no space", "killed in it"])
def test_a_round_that_could_not_be_noted_whole_is_taken_later(
    tmp_path: Path, is_killed: bool
) -> None:
    source = json.dumps({"tracker": "mlflow", "run": "r", "store": "s"})
    journal, rounds = Journal(tmp_path / "journal"), tmp_path / "rounds"

    def follower() -> Follower:
        return Follower(tmp_path / "journal", rounds, Replicas(tmp_path / "one"))

    def log(number: int) -> None:
        call = {"op": "batch", "metrics": [["loss", number, number, number]]}
        journal.append("mlflow", Kind.CALL, source, json.dumps(call).encode())

    log(0)
    first = follower()
    assert first.advance()
    noted = rounds.read_bytes()
    log(1)
    if is_killed:
        rounds.write_bytes(noted + noted[:5])
    else:
        with _largest_file(len(noted) + 5), pytest.raises(OSError, match="space"):
            first.advance()
        assert rounds.read_bytes() == noted
    first.close()
    log(2)
    for number in (3, 4):
        again = follower()
        while again.advance():
            pass
        again.close()
        log(number)
    (made,) = (tmp_path / "one" / "calls").iterdir()
    assert len(made.read_bytes().splitlines()) == 5
    journal.close()


@contextlib.contextmanager
def _largest_file(size: int) -> Iterator[None]:
    """No file of this process may become larger meanwhile."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_was_dropped_is_told_once_over_stop_and_start(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    for dropped in (2, 0, 1):
        journal.append("mlflow", Kind.CALL, "{}", b"{}")
        for _ in range(dropped):
            journal.drop("mlflow")
        journal.close(Kind.STOP)
    follower = Follower(tmp_path / "journal", tmp_path / "rounds", Replicas(tmp_path / "one"))
    while follower.advance():
        pass
    follower.close()
    assert [file.counts["dropped"].get("mlflow", 0) for file in follower.files] == [2, 0, 1]
    assert [file.counts["captured"] for file in follower.files] == [{"mlflow": 1}] * 3


def test_who_tells_what_was_dropped_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no lock says that a process lives, as on Windows, its last words say its end."""
    monkeypatch.setattr("runferry.live.follower.sys", SimpleNamespace(platform="win32"))
    journal = Journal(tmp_path / "journal")
    journal.append("mlflow", Kind.CALL, "{}", b"{}")
    journal.drop("mlflow")
    follower = Follower(tmp_path / "journal", tmp_path / "rounds", Replicas(tmp_path / "one"))
    assert follower.advance()
    (file,) = follower.files
    assert file.counts["dropped"] == {"mlflow": 1}
    assert file.is_held()
    journal.close()
    assert follower.advance()
    assert not file.is_held()
    follower.close()
