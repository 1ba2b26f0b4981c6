"""What a full or closed disk says, and making a whole folder last."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from runferry.durable import sync
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
