"""Files of a run beside its records: brought into the replica without copying where that works."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def bring(source: Path, target: Path) -> bool:
    """Make a file lie in the replica too; false where it is gone. Raises OSError of the target.

    One that was replaced since, or has grown on another disk, is brought again.
    """
    try:
        there = source.stat()
    except OSError:
        return target.exists()
    try:
        here = target.stat()
    except OSError:
        target.parent.mkdir(parents=True, exist_ok=True)
    else:
        is_linked = (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)
        if is_linked or (here.st_size, here.st_mtime_ns) == (there.st_size, there.st_mtime_ns):
            return True
    scratch = target.with_name(f".{target.name}.bringing")
    scratch.unlink(missing_ok=True)
    try:
        os.link(source, scratch)
    except OSError:  # another disk, or one that has no links
        shutil.copy2(source, scratch)
    scratch.replace(target)
    return True
