"""What a full or closed disk says to those who write files."""

from __future__ import annotations

import errno
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from runferry.errors import NoSpace, Refused
from runferry.paths import is_temporary_of_ours

_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

_FREE: Final = "free some space"
_ANOTHER: Final = "set TMPDIR to a folder on another disk"
"""What is sent to a service is first written into a temporary folder."""


@contextmanager
def disk_errors(where: Path) -> Iterator[None]:
    """Turns what the system says of a full or closed disk into errors with a hint."""
    try:
        yield
    except OSError as error:
        said = error.strerror or str(error)
        another = _ANOTHER if is_temporary_of_ours(where) else ""
        if error.errno in _FULL:
            raise NoSpace(
                f"the disk is full ({said}); the run is not complete there",
                where=str(where),
                hint=f"{' or '.join(filter(None, (_FREE, another)))}, then run the command again",
            ) from error
        raise Refused(
            f"cannot write here ({said})",
            where=str(where),
            hint=another or f"ls -ld {shlex.quote(str(where))}  # or name another folder",
        ) from error
