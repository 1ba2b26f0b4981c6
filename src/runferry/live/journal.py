"""The journal of a process that trains: appends records, and never lets anything of it be felt.

One file a process, which holds a lock on it for as long as it lives: so whoever follows knows when
no more comes, however the process ended. A record is one write. The first one that fails, as on a
full disk, is the last: one warning, and from then on records are counted, in the `Spare` file.

A write keeps Python's lock, as long as writes are quick: it takes half a microsecond, and whoever
lets go of the lock has to wait for the SDK's own threads to give it back. After one that took more
than a millisecond, and for a large record, the lock is let go of. After the first one that took
long (a network's disk, a frozen one) whoever trains does not write any more: frames wait in memory
for a thread that does, and kill -9 loses those. Where too many wait, they are counted as dropped.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import json
import os
import sys
import threading
import time
import warnings
import weakref
from collections import Counter
from pathlib import Path
from typing import Final

from runferry._native import JournalFile, JournalLane, journal_frame
from runferry.live.frames import LONGEST, SUFFIX, VERSION, Kind
from runferry.live.spare import Spare
from runferry.live.waiting import Waiting

if sys.platform != "win32":
    import fcntl

_LAST_SECONDS: Final = 5.0
_MOMENT_SECONDS: Final = 0.1
_TELL_SECONDS: Final = 1.0
_journals: weakref.WeakSet[Journal] = weakref.WeakSet()


class JournalWarning(UserWarning):
    """Mirroring has stopped, or has missed something; training is not concerned."""


class Journal:
    """Appends to this process's file in a folder. No method raises, whatever happens."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._captured: dict[str, int] = {}
        self.dropped: Counter[str] = Counter()  # what no record could be written for
        self._lanes: dict[tuple[str, str], JournalLane] = {}  # by hook and source
        self._has_place = True
        self._forget()
        _journals.add(self)

    def _forget(self) -> None:
        """Begin anew in a child: its parent's file is the parent's."""
        self._file: JournalFile | None = None
        self._spare: Spare | None = None
        self._is_stopped, self._is_stuck = not self._has_place, False
        self._process = os.getpid()
        self._sources: dict[str, int] = {}
        self._told: tuple[Counter[str], Counter[str]] = (Counter(), Counter())  # by closed files
        self._numbers = itertools.count(1)  # of sources
        self._opening = threading.RLock()  # also held where a signal's handler comes in between
        self._waiting = Waiting(self._put)
        self._said: Counter[str] = Counter()  # what the files know of those dropped
        self._tell_at = 0.0

    @property
    def captured(self) -> Counter[str]:
        """Records, by the name of the hook."""
        found = Counter(self._captured)
        for (hook, _), lane in list(self._lanes.items()):
            found[hook] += lane.written
        return found

    @property
    def is_stopped(self) -> bool:
        """Whether nothing is written any more."""
        return self._is_stopped

    @property
    def is_given_up(self) -> bool:
        """Whether it has no place, and never had one or lost it."""
        return not self._has_place

    def append(self, hook: str, kind: Kind, source: str, payload: bytes) -> None:
        """One record, in one write, or one more that was dropped.

        `source` is JSON that says what it is from; it is written before the first one only.
        """
        number = self._sources.get(source) or self._declared(source)
        if number and self._write(kind, number, payload):
            self._captured[hook] = self._captured.get(hook, 0) + 1
            lane = self._lanes.get((hook, source))
            if lane is not None and self._file is not None:
                lane.aim(self._file, kind, number)
        else:
            self.drop(hook)

    def lane(self, hook: str, source: str) -> JournalLane:
        """A quick way for records of a source: what its `put` does not take is for `append`."""
        return self._lanes.setdefault((hook, source), JournalLane())

    def _declared(self, source: str) -> int:
        """The number of a new source; zero where it could not be written."""
        with self._opening:
            number = self._sources.get(source, 0)
            if number or self._is_stopped:
                return number
            number = next(self._numbers)
            if not self._write(Kind.SOURCE, number, source.encode("utf-8", "replace")):
                return 0
            self._sources[source] = number
            return number

    def begin(self, *, is_inherited: bool = False) -> None:
        """Have the file, and its lock: whoever follows waits from now on for what comes.

        With `is_inherited` the program that this process becomes has the lock too.
        """
        if self._process != os.getpid():
            self.after_fork()
        if self._is_stopped or self._file is not None:
            return
        try:
            file = self._opened(has_spare=not is_inherited)
            if is_inherited and sys.platform != "win32":
                # one more descriptor, which outlives this object and nobody closes
                os.set_inheritable(os.dup(file.fileno()), True)
        except OSError as error:
            self._stop(str(error.strerror or error))

    def give_up(self, error: OSError) -> None:
        """There is no place for it, nor for those of children: all is counted as dropped.

        Warns, unless it had been stopped before.
        """
        self._has_place = False
        self._stop(str(error.strerror or error))

    def drop(self, hook: str) -> None:
        """Count what could not be captured, and say so now and then."""
        self.dropped[hook] += 1
        if self._is_stopped:
            if self._spare is not None and self._spare.is_due and not self._waiting.has_file():
                self._spare.tell(Kind.DROPPED, self._counts_since_full(self.dropped.copy()))
        elif self._file is not None and time.monotonic() >= self._tell_at:
            self._tell_at, dropped = time.monotonic() + _TELL_SECONDS, self.dropped.copy()
            if self._write(Kind.DROPPED, 0, self._counts(dropped)):
                self._said = dropped

    def after_fork(self) -> None:
        """Let go of the parent's file, and of its lock."""
        if self._file is not None:
            self._file.abandon()
        if self._spare is not None:
            self._spare.abandon()
        self._captured, self.dropped = {}, Counter()
        for lane in self._lanes.values():
            lane.forget()
        self._forget()

    def close(self, kind: Kind = Kind.COUNTS) -> None:
        """Say what was counted, and let go of the file: no more comes from this process."""
        if self._process != os.getpid():
            return
        if self._is_stopped:
            self._close_full(kind)
            return
        if self._file is None:
            return
        captured, dropped = self.captured, self.dropped.copy()
        last = journal_frame(kind, 0, self._counts(dropped))
        if not self._waiting.is_begun:
            if not self._put(last):
                self._close_full(kind)
                return
        elif not self._waiting.end(_LAST_SECONDS, last):
            if self._waiting.has_file():  # its thread may be in it still
                self.dropped["journal"] += self._waiting.left
                self._is_stuck = True
                self._stop("the disk is stuck")
            else:  # the disk is full
                self._close_full(kind)
            return
        self._waiting = Waiting(self._put)
        self._sources, self._told, self._said = {}, (captured, dropped), dropped
        self._let_go()
        self._close_spare()

    def _close_full(self, kind: Kind) -> None:
        """Say beside what was dropped since the file was full: in the spare one, or a new one."""
        # a stuck disk is not asked again
        if self._is_stuck or self._waiting.has_file(_MOMENT_SECONDS):
            return
        if left := self._waiting.left:
            self.dropped["journal"] += left
            self._waiting = Waiting(self._put)
        full, self._file = self._file, None  # whoever follows waits until its lock is free
        dropped = self.dropped.copy()
        if dropped - self._said:
            told = self._counts_since_full(dropped)
            with contextlib.suppress(OSError):
                if self._spare is None or not self._spare.tell(kind, told):
                    self._opened(has_spare=False).append(kind, 0, told)
                self._said = dropped
        self._let_go()
        if full is not None:
            full.close()
        self._close_spare()

    def _let_go(self) -> None:
        """Of the file and its lock: no more comes from this process."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _close_spare(self) -> None:
        spare, self._spare = self._spare, None
        if spare is not None:
            spare.close()

    def _counts_since_full(self, dropped: Counter[str]) -> bytes:
        return json.dumps({"captured": {}, "dropped": dropped - self._said}).encode()

    def _counts(self, dropped: Counter[str]) -> bytes:
        """Of the file that is open, as JSON."""
        was_captured, was_dropped = self._told
        counts = {"captured": self.captured - was_captured, "dropped": dropped - was_dropped}
        return json.dumps(counts).encode()

    def _write(self, kind: Kind, source: int, payload: bytes) -> bool:
        if self._is_stopped or len(payload) > LONGEST:
            return False
        try:
            file = self._file or self._opened()
            if not self._waiting.is_begun and not file.was_stuck:
                file.append(kind, source, payload)
                return True
        except OSError as error:
            self._stop(str(error.strerror or error))
            return False
        return self._waiting.put(journal_frame(kind, source, payload))

    def _put(self, frame: bytes) -> bool:
        """One write of a whole frame, and whether it was one."""
        try:
            if self._file is not None:
                self._file.write(frame)
                return True
        except OSError as error:
            self._stop(str(error.strerror or error))
        return False

    def _opened(self, *, has_spare: bool = True) -> JournalFile:
        """This process's file, which has its lock before it has its name. Raises OSError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        name = f"{time.time_ns():020d}-{self._process}"
        hidden = self.folder / f".{name}"
        file = JournalFile(hidden)
        if sys.platform != "win32":
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        begin = json.dumps({"version": VERSION, "process": self._process}).encode()
        file.append(Kind.BEGIN, 0, begin)
        hidden.rename(self.folder / f"{name}{SUFFIX}")
        if has_spare:
            self._spare = Spare(self.folder, name, begin)
        self._file = file
        return file

    def _stop(self, why: str) -> None:
        if self._is_stopped:
            return
        self._is_stopped = True
        told = (
            f"runferry: mirroring has stopped: {why} ({self.folder}). Training goes on; "
            "what is logged from now on is counted, and not mirrored."
        )
        with contextlib.suppress(Exception):  # where warnings are errors they are not ours to raise
            warnings.warn(told, JournalWarning, stacklevel=2)


def _end() -> None:
    for journal in list(_journals):
        journal.close()


def _begin_child() -> None:
    for journal in list(_journals):
        journal.after_fork()


atexit.register(_end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_child)
