"""The journal of a process that trains."""

from __future__ import annotations

import fcntl
import io
import json
import threading
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from journals import BEGIN, BOTH, WAYS, events_in, way_into
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


@BOTH
def test_threads_write_whole_records_each_once(tmp_path: Path, way: str) -> None:
    journal = Journal(tmp_path)
    put = way_into(journal, way)

    def write(name: int) -> None:
        for number in range(200):
            put(f"{name} {number}".encode() * 20, f"source {name}")

    threads = [threading.Thread(target=write, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = events_in(tmp_path)
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
    written = [payload for _, payload in events_in(tmp_path / "journal")]
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
    assert captured == len(events_in(tmp_path / "journal")) > 0


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
