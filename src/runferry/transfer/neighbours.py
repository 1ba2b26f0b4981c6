"""Readers of one place for several threads, which search it for its runs only once."""

from __future__ import annotations

import threading
from collections.abc import Callable

from runferry.ports import Reader, SharingReader

OpenReader = Callable[[], Reader]


class Neighbours:
    """Opens readers; where they can share what they find (`SharingReader`), they do."""

    def __init__(self, open_reader: OpenReader) -> None:
        self._open_reader = open_reader
        self._lock = threading.Lock()
        self._first: SharingReader | None = None  # is only asked for others

    def open(self) -> Reader:
        """A reader, which the caller closes. Raises what opening the place raises."""
        with self._lock:
            if self._first is None:
                opened = self._open_reader()
                if not isinstance(opened, SharingReader):
                    return opened
                self._first = opened
            return self._first.beside()

    def close(self) -> None:
        """No further reader is wanted."""
        with self._lock:
            if self._first is not None:
                self._first.close()
                self._first = None
