"""Whether what stands behind a tracker's name is a path of this machine."""

from __future__ import annotations

import os
from pathlib import Path, PureWindowsPath


def is_folder(where: str) -> bool:
    """Whether this is a path of this machine: one that exists, or that is written like one."""
    if not where:
        return False
    if where.startswith((".", "/", "~", "\\")) or PureWindowsPath(where).drive:
        return True
    try:
        return os.path.lexists(Path(where).expanduser())
    except (ValueError, RuntimeError):  # NUL, `~nobody`
        return False
