"""What a full or closed disk says, and making what was written last."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from runferry import _native
from runferry.errors import NoSpace, Refused

_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_AT_ONCE: Final = 512


@contextmanager
def disk_errors(where: Path) -> Iterator[None]:
    """Turns what the system says of a full or closed disk into errors with a hint."""
    try:
        yield
    except OSError as error:
        said = error.strerror or str(error)
        if error.errno in _FULL:
            raise NoSpace(
                f"the disk is full ({said}); nothing of this run was kept",
                where=str(where),
                hint="free some space, then run the command again",
            ) from error
        raise Refused(
            f"cannot write here ({said})",
            where=str(where),
            hint=f"ls -ld {where}  # or name another folder",
        ) from error


def sync_tree(folder: Path) -> None:
    """Make every file below a folder last, and all names in it."""
    waiting: list[Path] = []
    for inner, _, files in os.walk(folder):
        for name in (*files, "."):
            waiting.append(Path(inner, name))
            if len(waiting) == _AT_ONCE:
                sync(waiting)
                waiting = []
    sync(waiting)


def sync(paths: list[Path]) -> None:
    """Make files, and the names in folders, last."""
    if sys.platform != "darwin":
        _native.sync(paths)
        return
    for path in paths:  # Rust would ask for a flush that some network disks refuse
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_lasting(path: Path, text: str, scratch: str) -> None:
    """Replace a file's content in one step that lasts. `scratch` tells one attempt from others."""
    temporary = path.with_name(f".{path.name}.{scratch}")
    temporary.write_text(text, encoding="utf-8", newline="\n")
    sync([temporary])
    temporary.replace(path)
    sync([path.parent])
