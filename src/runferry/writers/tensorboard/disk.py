"""What a full or closed disk says, and making what was written last."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from runferry import _native
from runferry.errors import NoSpace, Refused

_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def disk_errors(where: Path) -> Iterator[None]:
    """Turns what the system says of a full or closed disk into errors with a hint."""
    try:
        yield
    except OSError as error:
        said = error.strerror or str(error)
        if error.errno in _FULL:
            raise NoSpace(
                f"the disk is full ({said}); the run is there as far as it came",
                where=str(where),
                hint="free some space, then run the command again: it goes on from there",
            ) from error
        raise Refused(
            f"cannot write here ({said})",
            where=str(where),
            hint=f"ls -ld {where}  # or name another folder",
        ) from error


def sync(paths: Iterable[Path]) -> None:
    """Make files, and the names in folders, last."""
    found = sorted(set(paths))
    if sys.platform != "darwin":
        _native.sync(found)
        return
    for path in found:  # Rust would ask for a flush that some network disks refuse
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
