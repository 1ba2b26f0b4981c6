"""The end of a journal for which the disk was full."""

from __future__ import annotations

import json
import threading
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from runferry.live import spare
from runferry.live.frames import Kind, frames
from runferry.live.journal import Journal, JournalWarning
from runferry.live.layout import is_held
from runferry.live.spare import Spare
from runferry.live.waiting import Waiting


def test_a_journal_is_held_until_all_that_a_full_disk_dropped_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a delivery could end before it has heard of it."""
    journal = Journal(tmp_path)
    journal.append("test", Kind.EVENT, "{}", b"one")
    (path,) = tmp_path.glob("*.journal")
    with pytest.warns(JournalWarning):
        journal._stop("no space left")
    journal.drop("test")
    were_held, tell = [], Spare.tell

    def told(beside: Spare, kind: Kind, counts: bytes) -> bool:
        were_held.append(is_held(path))
        return tell(beside, kind, counts)

    monkeypatch.setattr(Spare, "tell", told)
    journal.close()
    assert (were_held, is_held(path)) == ([True], False)


def test_a_spare_file_that_another_thread_closes_meanwhile_tells_nothing_and_raises_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = Spare(tmp_path, "00-1", b"{}")

    def closing() -> float:
        beside.close()
        return 0.0

    monkeypatch.setattr(spare, "time", SimpleNamespace(monotonic=closing))
    assert not beside.tell(Kind.DROPPED, b"{}")


def _is_put(journal: Journal, payload: bytes) -> bool:
    """Whether a record is with the thread that writes, which has tried by then."""
    journal.append("test", Kind.EVENT, "{}", payload)
    return not journal._waiting.has_file(5)


def test_what_waited_for_a_slow_disk_that_turned_out_full_is_told_as_dropped(
    tmp_path: Path,
) -> None:
    journal = Journal(tmp_path)
    journal.append("test", Kind.EVENT, "{}", b"one")
    assert journal._waiting.begin()
    assert journal._file is not None
    journal._file.close()  # whatever is written to it now fails
    with pytest.warns(JournalWarning):
        assert _is_put(journal, b"two")
    journal.drop("test")
    journal.close()
    journal.close()
    assert _told(tmp_path) == {"test": 1, "journal": 1}


def test_what_a_disk_has_no_room_for_while_the_journal_is_closed_is_told_as_dropped(
    tmp_path: Path,
) -> None:
    """The thread still writes what waited: it is that which finds the disk full."""
    journal, is_closing = Journal(tmp_path), threading.Event()
    journal.append("test", Kind.EVENT, "{}", b"one")

    def write(frame: bytes) -> bool:
        assert is_closing.wait(10)
        assert journal._file is not None
        journal._file.close()  # whatever is written to it now fails
        return journal._put(frame)

    journal._waiting = Waiting(write)
    assert journal._waiting.begin()
    for payload in (b"two", b"three"):
        journal.append("test", Kind.EVENT, "{}", payload)
    threading.Timer(0.1, is_closing.set).start()
    with pytest.warns(JournalWarning):
        journal.close()
    journal.close()
    assert _told(tmp_path) == {"journal": 2}


def _told(folder: Path) -> Counter[str]:
    """What the files say that was dropped, none of which anybody holds."""
    told = Counter[str]()
    for path in folder.iterdir():
        assert not is_held(path)
        with path.open("rb") as stream:
            counts = [it for it in frames(stream, 0) if it.kind in (Kind.COUNTS, Kind.DROPPED)]
        if counts:
            told.update(json.loads(counts[-1].payload)["dropped"])
    return told
