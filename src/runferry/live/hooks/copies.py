"""Copies of files that were logged: the originals may be temporary, or written over."""

from __future__ import annotations

import os
import shutil
import threading
import uuid
from pathlib import Path


class Copies:
    """A session's folder of copies, as one hook fills it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._mark = uuid.uuid4().hex[:8]
        self._count = 0

    def put(self, content: bytes | Path) -> str:
        """The name of a copy of this. Raises OSError."""
        if isinstance(content, Path):
            return self.of(content)
        target = self._next()
        target.write_bytes(content)
        return target.name

    def of(self, path: Path, *, is_going: bool = False) -> str:
        """The name of a copy; of a file that nobody writes again a second name is one.

        Raises OSError.
        """
        target = self._next()
        if is_going:
            try:
                os.link(path, target)
            except OSError:  # another disk, or one that has no links
                pass
            else:
                return target.name
        shutil.copyfile(path, target)
        return target.name

    def _next(self) -> Path:
        with self._lock:
            self._count += 1
            name = f"{self._mark}-{os.getpid()}-{self._count}"
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder / name
