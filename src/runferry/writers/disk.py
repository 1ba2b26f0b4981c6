"""What a full or closed disk says to those who write files."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

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
                f"the disk is full ({said}); the run is not complete there",
                where=str(where),
                hint="free some space, then run the command again",
            ) from error
        raise Refused(
            f"cannot write here ({said})",
            where=str(where),
            hint=f"ls -ld {where}  # or name another folder",
        ) from error
