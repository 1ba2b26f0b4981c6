"""Whatever a signal's handler or the system does, logging neither stands still nor raises."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runferry.live.follower import JournalFile
from runferry.live.frames import Kind
from runferry.live.journal import Journal
from runferry.live.waiting import Waiting

Handled = Callable[[Callable[[], object]], None]


@pytest.fixture
def handled() -> Iterator[Handled]:
    """Sets what the handler of a signal does, once."""
    before = signal.getsignal(signal.SIGUSR1)

    def once(called: Callable[[], object]) -> None:
        def handler(*_: object) -> None:
            signal.signal(signal.SIGUSR1, signal.SIG_IGN)
            called()

        signal.signal(signal.SIGUSR1, handler)

    yield once
    signal.signal(signal.SIGUSR1, before)


def _signalled(method: Callable[..., object]) -> Callable[..., object]:
    def first(*args: object) -> object:
        signal.raise_signal(signal.SIGUSR1)
        return method(*args)

    return first


@pytest.mark.timeout(20)
def test_a_handler_that_logs_while_the_thread_begins_is_written_too(
    monkeypatch: pytest.MonkeyPatch, handled: Handled
) -> None:
    written: list[bytes] = []
    monkeypatch.setattr(threading.Thread, "start", _signalled(threading.Thread.start))
    waiting = Waiting(lambda frame: not written.append(frame))  # type: ignore[func-returns-value]
    handled(lambda: waiting.put(b"handler"))
    assert waiting.put(b"first")
    assert waiting.end(10, b"last")
    assert written == [b"handler", b"first", b"last"]


@pytest.mark.timeout(20)
def test_a_handler_that_logs_while_a_source_is_declared_is_written_under_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, handled: Handled
) -> None:
    journal = Journal(tmp_path)
    journal.begin()
    monkeypatch.setattr(journal, "_write", _signalled(journal._write))
    handled(lambda: journal.append("test", Kind.EVENT, "handler", b"of handler"))
    journal.append("test", Kind.EVENT, "here", b"of here")
    journal.close()
    (path,) = tmp_path.iterdir()
    file, sources, found = JournalFile(path), {}, []
    for _, _, frame in file.frames(path.stat().st_size):
        if frame.kind == Kind.SOURCE:
            sources[frame.source] = frame.payload
        elif frame.kind == Kind.EVENT:
            found.append((sources[frame.source], frame.payload))
    assert found == [(b"handler", b"of handler"), (b"here", b"of here")]


def test_where_no_thread_can_begin_what_would_wait_is_refused_and_nothing_raised(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    waiting = Waiting(lambda _: True)
    with monkeypatch.context() as none:
        none.setattr(threading.Thread, "start", start)
        assert not waiting.put(b"lost")
    assert waiting.put(b"kept")
    assert waiting.end(10, b"last")
