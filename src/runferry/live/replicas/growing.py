"""A file that is made again from its beginning, and grows where it ended."""

from __future__ import annotations

import os
from pathlib import Path


class GrowingFile:
    """Takes the same bytes in every life; those that the file has already are passed over.

    Nothing is there before the first `flush`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1
        self._there = path.stat().st_size if path.exists() else 0
        self._waiting = bytearray()
        self.size = 0  # of all that was given

    def put(self, content: bytes) -> None:
        """The next bytes; those that are new wait for `flush`."""
        known = min(max(self._there - self.size, 0), len(content))
        self.size += len(content)
        self._waiting += content[known:] if known else content

    def flush(self) -> None:
        """Write what waits. Raises OSError; what was written then stays written."""
        if self._waiting and self._descriptor < 0:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o644)
        while self._waiting:
            at = self.size - len(self._waiting)
            written = os.pwrite(self._descriptor, self._waiting, at)
            del self._waiting[:written]

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
