"""The journal of a process that trains."""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import os
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from training import told, train

from runferry._native import journal_frame
from runferry.live.frames import Kind, frames
from runferry.live.journal import Journal, JournalWarning

PAYLOADS = st.lists(st.binary(max_size=300), min_size=1, max_size=8)


@given(PAYLOADS, st.data())
def test_truncated_anywhere_gives_an_exact_prefix(
    payloads: list[bytes], data: st.DataObject
) -> None:
    whole = [journal_frame(Kind.EVENT, 1, payload) for payload in payloads]
    length = data.draw(st.integers(0, sum(map(len, whole))))
    read = [frame.payload for frame in frames(io.BytesIO(b"".join(whole)[:length]), 0)]
    ends = [sum(map(len, whole[: n + 1])) for n in range(len(whole))]
    assert read == payloads[: sum(end <= length for end in ends)]


@given(PAYLOADS, st.data())
def test_a_flipped_bit_ends_the_journal_before_it(
    payloads: list[bytes], data: st.DataObject
) -> None:
    whole = bytearray(b"".join(journal_frame(Kind.EVENT, 1, payload) for payload in payloads))
    at = data.draw(st.integers(0, len(whole) * 8 - 1))
    whole[at // 8] ^= 1 << at % 8
    read = [frame.payload for frame in frames(io.BytesIO(bytes(whole)), 0)]
    assert read == payloads[: len(read)]
    assert len(read) < len(payloads)


def _all(folder: Path) -> list[tuple[str, bytes]]:
    found = []
    for path in sorted(folder.glob("*.journal")):
        sources = {}
        with path.open("rb") as stream:
            for frame in frames(stream, 0):
                if frame.kind == Kind.SOURCE:
                    sources[frame.source] = frame.payload.decode()
                elif frame.kind == Kind.EVENT:
                    found.append((sources[frame.source], frame.payload))
    return found


BEGIN = """
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from runferry.live.frames import Kind
from runferry.live.journal import Journal
journal = Journal(Path("journal"))
"""
WAYS = """
def append(payload, source="here"):
    journal.append("test", Kind.EVENT, source, payload)

def by_lane(payload, source="here"):
    if not journal.lane("test", source).put(payload):
        append(payload, source)
"""
"""How a record gets into a journal: as hooks do it, and as those do it that are called for each
value."""
BOTH = pytest.mark.parametrize("way", ["append", "by_lane"])


def _way(journal: Journal, way: str) -> Callable[..., None]:
    names: dict[str, Any] = {"journal": journal, "Kind": Kind}
    exec(WAYS, names)
    found: Callable[..., None] = names[way]
    return found


@BOTH
def test_threads_write_whole_records_each_once(tmp_path: Path, way: str) -> None:
    journal = Journal(tmp_path)
    put = _way(journal, way)

    def write(name: int) -> None:
        for number in range(200):
            put(f"{name} {number}".encode() * 20, f"source {name}")

    threads = [threading.Thread(target=write, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = _all(tmp_path)
    assert len(found) == len(set(found)) == 1600
    assert all(payload.startswith(source.split()[1].encode()) for source, payload in found)
    assert journal.captured["test"] == 1600
    journal.close()


@BOTH
def test_a_forked_child_writes_a_file_of_its_own(tmp_path: Path, way: str) -> None:
    out = train(
        tmp_path,
        BEGIN
        + WAYS
        + f"put = {way}"
        + """
put(b"parent")
put(b"parent")
child = os.fork()
for _ in range(2):
    put(b"child" if child == 0 else b"parent again")
if child == 0:
    assert journal.captured == {"test": 2}, journal.captured
    journal.close()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
""",
    )
    assert not out
    written = [payload for _, payload in _all(tmp_path / "journal")]
    assert sorted(written) == [b"child"] * 2 + [b"parent"] * 2 + [b"parent again"] * 2
    assert len(list((tmp_path / "journal").iterdir())) == 2


def test_a_child_that_lives_on_does_not_keep_its_parents_journal_open(tmp_path: Path) -> None:
    train(
        tmp_path,
        """
        from pathlib import Path
        from runferry.live.frames import Kind
        from runferry.live.journal import Journal
        journal = Journal(Path("journal"))
        journal.append("test", Kind.EVENT, "here", b"parent")
        if os.fork() == 0:
            os.closerange(0, 3)
            time.sleep(20)
        os._exit(0)
        """,
    )
    (path,) = (tmp_path / "journal").glob("*.journal")
    with path.open("rb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_what_a_process_becomes_keeps_its_journal_open(tmp_path: Path) -> None:
    out = train(
        tmp_path,
        """
        import gc
        from pathlib import Path
        from runferry.live.journal import Journal
        Journal(Path("journal")).begin(is_inherited=True)
        gc.collect()
        then = "from pathlib import Path; from runferry.live.layout import is_held;"
        then += "print(*map(is_held, Path('journal').iterdir()))"
        os.execv(sys.executable, [sys.executable, "-c", then])
        """,
    )
    assert out.split() == ["True"]


@BOTH
def test_a_full_disk_stops_it_with_one_warning_and_a_count(tmp_path: Path, way: str) -> None:
    """Also where there is room again later: what is behind half a record cannot be read."""
    out = train(
        tmp_path,
        BEGIN
        + WAYS
        + f"put = {way}"
        + """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, -1))
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for number in range(200):
        put(bytes(100))
        if caught:
            resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))
told = [str(one.message) for one in caught]
print(json.dumps([told, journal.captured["test"], journal.dropped["test"]]))
""",
    )
    (warned,), captured, dropped = told(out)
    assert "mirroring has stopped: no space left on the disk" in warned
    assert captured + dropped == 200
    assert captured == len(_all(tmp_path / "journal")) > 0


def test_a_journal_that_is_closed_is_held_by_nobody_although_the_disk_is_full(
    tmp_path: Path,
) -> None:
    """Else a delivery would wait for the end of a process that logs no more."""
    out = train(
        tmp_path,
        BEGIN
        + """
import resource, signal
from runferry.live.layout import is_held
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
journal.append("test", Kind.EVENT, "{}", b"one")
resource.setrlimit(resource.RLIMIT_FSIZE, (100, -1))
journal.append("test", Kind.EVENT, "{}", bytes(100))
was_held = any(map(is_held, Path("journal").glob("*.journal")))
journal.close()
is_held = any(map(is_held, Path("journal").glob("*.journal")))
print(json.dumps([journal.is_stopped, was_held, is_held]))
""",
    )
    assert told(out) == [True, True, False]


def test_a_disk_that_is_full_when_the_journal_is_closed_hides_no_count(tmp_path: Path) -> None:
    train(
        tmp_path,
        BEGIN
        + """
import resource, signal, warnings
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
journal.append("test", Kind.EVENT, "{}", bytes(5_000))
journal.drop("test")
journal.drop("test")  # told within a second, or when it is closed
(file,) = Path("journal").glob("*.journal")
resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size, -1))
warnings.simplefilter("ignore")
journal.close()
""",
    )
    told = []
    for path in (tmp_path / "journal").iterdir():
        with path.open("rb") as stream:
            counts = [it for it in frames(stream, 0) if it.kind in (Kind.COUNTS, Kind.DROPPED)]
        told.append(json.loads(counts[-1].payload)["dropped"]["test"])
    assert sorted(told) == [1, 1]


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
    put = _way(journal, way)
    put(b"first")
    assert way != "by_lane" or journal.lane("test", "here").put(b"first")
    disk = _StuckDisk(journal)
    other = disk.empty_apart(0.5)
    put(bytes(size))
    other.wait()
    began = time.monotonic()
    for _ in range(100):
        put(bytes(size))
    assert time.monotonic() - began < 0.5
    assert journal.captured["test"] == (102 if way == "append" else 103)
    disk.mend()
    in_disk = disk.content()
    journal.close()
    in_disk += disk.content()
    frame = len(journal_frame(Kind.EVENT, 1, bytes(size)))
    assert len(_all(tmp_path)) + len(in_disk) // frame == journal.captured["test"]
    assert not journal.dropped
    disk.close()


@BOTH
@pytest.mark.parametrize("waited", [0, 3], ids=["none waits", "some wait"])
def test_a_disk_that_was_stuck_loses_nothing_over_stop_and_start(
    tmp_path: Path, way: str, waited: int
) -> None:
    journal = Journal(tmp_path)
    put = _way(journal, way)
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
    payloads = [payload for _, payload in _all(tmp_path)]
    assert payloads == [b"first", b"second", *[b"before"] * waited, *[b"after"] * 5]
    assert [_kinds(path)[-1] for path in sorted(tmp_path.iterdir())] == [Kind.STOP] * 2
    assert journal.captured["test"] == len(payloads) + 1
    assert not journal.dropped
    disk.close()


def _kinds(path: Path) -> list[int]:
    with path.open("rb") as stream:
        return [frame.kind for frame in frames(stream, 0)]


@pytest.mark.timeout(20)
def test_a_disk_that_was_slow_holds_up_no_other_thread(tmp_path: Path) -> None:
    """The thread that empties it could not go on if Python's lock were kept."""
    journal = Journal(tmp_path)
    journal.append("test", Kind.EVENT, "here", b"first")
    disk = _StuckDisk(journal)
    threading.Timer(0.05, os.read, (disk.emptied, disk.bytes)).start()
    journal.append("test", Kind.EVENT, "here", bytes(4096))
    file, lane = journal._file, journal.lane("test", "here")
    assert file is not None
    assert not file.is_quick
    disk.mend()
    assert not lane.put(bytes(100))  # which would keep Python's lock
    journal.append("test", Kind.EVENT, "here", bytes(100))
    assert file.is_quick
    assert lane.put(bytes(100))
    journal.close()
    disk.close()


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


def test_a_folder_that_cannot_be_made_is_a_warning_and_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    journal = Journal(tmp_path / "file" / "journal")
    with pytest.warns(JournalWarning, match="Training goes on"):
        journal.append("test", Kind.EVENT, "here", b"lost")
    journal.append("test", Kind.EVENT, "here", b"lost")
    assert journal.dropped["test"] == 2


def test_a_warning_that_is_an_error_is_not_ours_to_raise(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    journal = Journal(tmp_path / "file" / "journal")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        journal.append("test", Kind.EVENT, "here", b"lost")
    assert journal.is_stopped
