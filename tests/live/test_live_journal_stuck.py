"""A journal whose disk is slow or stuck: nobody who trains waits, what is dropped is counted."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from journals import BOTH, events_in, way_into
from training import told, train

from runferry._native import JournalFile, journal_frame
from runferry.live.frames import Kind, frames
from runferry.live.journal import Journal, JournalWarning


class _StuckDisk:
    """A pipe that nobody empties, in the place of a journal's file."""

    def __init__(self, journal: Journal) -> None:
        assert journal._file is not None
        self._taken = journal._file.fileno()
        self._there = os.dup(self._taken)
        self.emptied, self.filled = os.pipe()
        self.bytes = fcntl.fcntl(self.filled, fcntl.F_GETPIPE_SZ)
        self.fill()
        os.dup2(self.filled, self._taken)

    def fill(self) -> None:
        """It takes no more."""
        os.set_blocking(self.filled, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(self.filled, bytes(4096))
        os.set_blocking(self.filled, True)

    def empty_apart(self, seconds: float) -> subprocess.Popen[bytes]:
        """Another process empties it after a time, whoever has Python's lock in this one."""
        code = "import os, sys, time; n = [*map(float, sys.argv[1:])]; time.sleep(n[0])"
        given = map(str, (seconds, self.emptied, self.bytes))
        code += "; os.read(int(n[1]), int(n[2]))"
        command = [sys.executable, "-I", "-S", "-c", code, *given]
        return subprocess.Popen(command, pass_fds=(self.emptied,))

    def mend(self) -> None:
        """What comes from now on is in the file again."""
        os.dup2(self._there, self._taken)

    def content(self) -> bytes:
        """What was written into it, and is there."""
        os.set_blocking(self.emptied, False)
        read = b""
        with contextlib.suppress(BlockingIOError):
            while more := os.read(self.emptied, self.bytes):
                read += more
        return read

    def close(self) -> None:
        """What is stuck in it ends in an error."""
        for descriptor in (self.emptied, self.filled, self._there):
            os.close(descriptor)


@pytest.mark.parametrize(("way", "size"), [("append", 4096), ("by_lane", 900)])
def test_a_disk_that_is_stuck_holds_up_nobody_twice(tmp_path: Path, way: str, size: int) -> None:
    journal = Journal(tmp_path)
    put = way_into(journal, way)
    put(b"first")
    assert way != "by_lane" or journal.lane("test", "here").put(b"first")
    disk = _StuckDisk(journal)
    other = disk.empty_apart(0.5)
    put(bytes(size))
    other.wait()
    began = time.monotonic()
    for _ in range(100):
        put(bytes(size))
    assert time.monotonic() - began < 5  # a hundred that wait are 10 s, each as long as is slow
    assert journal.captured["test"] == (102 if way == "append" else 103)
    disk.mend()
    in_disk = disk.content()
    journal.close()
    in_disk += disk.content()
    frame = len(journal_frame(Kind.EVENT, 1, bytes(size)))
    assert len(events_in(tmp_path)) + len(in_disk) // frame == journal.captured["test"]
    assert not journal.dropped
    disk.close()


@BOTH
@pytest.mark.parametrize("waited", [0, 3], ids=["none waits", "some wait"])
def test_a_disk_that_was_stuck_loses_nothing_over_stop_and_start(
    tmp_path: Path, way: str, waited: int
) -> None:
    journal = Journal(tmp_path)
    put = way_into(journal, way)
    put(b"first")
    put(b"second")
    disk = _StuckDisk(journal)
    other = disk.empty_apart(0.3)
    put(bytes(900))
    other.wait()
    disk.mend()  # what it took while it was stuck is in the pipe
    for _ in range(waited):
        put(b"before")
    journal.close(Kind.STOP)
    for _ in range(5):
        put(b"after")
    journal.close(Kind.STOP)
    payloads = [payload for _, payload in events_in(tmp_path)]
    assert payloads == [b"first", b"second", *[b"before"] * waited, *[b"after"] * 5]
    assert [_kinds(path)[-1] for path in sorted(tmp_path.iterdir())] == [Kind.STOP] * 2
    assert journal.captured["test"] == len(payloads) + 1
    assert not journal.dropped
    disk.close()


def _kinds(path: Path) -> list[int]:
    with path.open("rb") as stream:
        return [frame.kind for frame in frames(stream, 0)]


@pytest.mark.timeout(60)
def test_a_disk_that_was_slow_holds_up_no_other_thread(tmp_path: Path) -> None:
    """The thread that empties it could not go on if Python's lock were kept."""
    for number in range(100):
        journal = Journal(tmp_path / f"{number}")
        disk, file = _slow_once(journal)
        if not (file.is_quick or file.was_stuck):  # as a busy machine may make it seem
            break
        journal.close()
        disk.close()
    lane = journal.lane("test", "here")
    disk.mend()
    assert not lane.put(bytes(100))  # which would keep Python's lock
    for _ in range(100):  # the system may take the processor in the middle of a quick one
        journal.append("test", Kind.EVENT, "here", bytes(100))
        if file.is_quick:
            break
    assert lane.put(bytes(100))
    journal.close()
    disk.close()


def _slow_once(journal: Journal) -> tuple[_StuckDisk, JournalFile]:
    """The disk of a journal, on which a write has just waited for a moment."""
    journal.append("test", Kind.EVENT, "here", b"first")
    file = journal._file
    assert file is not None
    disk = _StuckDisk(journal)
    threading.Timer(0.02, os.read, (disk.emptied, disk.bytes)).start()
    journal.append("test", Kind.EVENT, "here", bytes(4096))
    return disk, file


def test_more_than_memory_may_hold_is_counted_and_nobody_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runferry.live.waiting.MOST_BYTES", 1000)
    monkeypatch.setattr("runferry.live.journal._LAST_SECONDS", 0.1)
    journal = Journal(tmp_path)
    journal.append("test", Kind.EVENT, "here", b"first")
    disk = _StuckDisk(journal)
    journal._waiting.begin()
    for _ in range(100):
        journal.append("test", Kind.EVENT, "here", bytes(100))
    assert journal.dropped["test"] > 0
    with pytest.warns(JournalWarning, match="stuck"):
        journal.close()
    assert journal.dropped["journal"] > 0
    disk.close()


def test_a_child_that_is_forked_while_a_thread_writes_does_not_keep_the_file_open(
    tmp_path: Path,
) -> None:
    out = train(
        tmp_path,
        """
        import fcntl, json, threading
        from pathlib import Path
        from runferry.live.frames import Kind
        from runferry.live.journal import Journal
        journal = Journal(Path("journal"))
        journal.append("test", Kind.EVENT, "here", b"first")
        emptied, filled = os.pipe()
        taken = journal._file.fileno()
        os.dup2(filled, taken)
        large = fcntl.fcntl(filled, fcntl.F_GETPIPE_SZ) + 1  # more than the pipe takes
        given = ("test", Kind.EVENT, "here", bytes(large))
        threading.Thread(target=journal.append, args=given).start()
        time.sleep(0.3)
        if os.fork() == 0:
            try:
                os.fstat(taken)
            except OSError:
                os._exit(0)
            os._exit(1)
        print(json.dumps(os.wait()[1]))
        left = large + 24
        while left:
            left -= len(os.read(emptied, left))
        """,
    )
    assert told(out) == 0
