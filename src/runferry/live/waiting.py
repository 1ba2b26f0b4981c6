"""Frames that wait for a slow disk, so that whoever trains does not."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Final

MOST_BYTES: Final = 64 << 20
"""Frames wait in memory up to so many bytes."""


class Waiting:
    """Writes frames in a thread of its own, in the order in which they came.

    A signal's handler may come in between wherever frames are put, and put some itself.
    """

    def __init__(self, write: Callable[[bytes], bool]) -> None:
        """`write` writes one frame, and says whether it could."""
        self._write = write
        self._frames = deque[bytes]()  # of which there may be a million
        self._bytes = 0
        self._is_ending = self._has_failed = False
        self.is_begun = False  # with the first frame: none comes before those that wait
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._go, name="runferry-journal", daemon=True)

    def put(self, frame: bytes) -> bool:
        """Whether there is room and a thread for one more, before the end; returns at once."""
        with self._changed:
            if self._is_ending or self._bytes + len(frame) > MOST_BYTES or not self.begin():
                return False
            self._frames.append(frame)
            self._bytes += len(frame)
            self._changed.notify()
            return True

    def begin(self) -> bool:
        """Whether there is a thread: the system may give none, as while Python ends."""
        with self._changed:
            if not self.is_begun:
                self.is_begun = True
                try:
                    self._thread.start()
                except RuntimeError:
                    self.is_begun = False
            return self.is_begun

    def has_file(self, seconds: float = 0.0) -> bool:
        """Whether its thread may be in the file, after so long at most: one that failed is not."""
        if seconds and self._thread.is_alive():
            self._thread.join(seconds)
        return self.is_begun and not self._has_failed

    @property
    def left(self) -> int:
        """How many of the frames that were put are not written."""
        with self._changed:
            return max(len(self._frames) - self._is_ending, 0)

    def end(self, seconds: float, last: bytes) -> bool:
        """Wait until all is written, then a last frame, for which there is always room.

        No longer than these seconds; whether all is written then.
        """
        with self._changed:
            self._is_ending = True
            self._frames.append(last)
            self._bytes += len(last)
            self._changed.notify()
        self._thread.join(seconds)
        with self._changed:
            return not self._frames

    def _go(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._frames or self._is_ending)
                if not self._frames:
                    return
                frame = self._frames[0]
            if not self._write(frame):
                self._has_failed = True
                return  # what waits still is `left`
            with self._changed:
                self._frames.popleft()
                self._bytes -= len(frame)
