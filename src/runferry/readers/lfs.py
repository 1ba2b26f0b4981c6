"""What Git LFS leaves in place of a file that it was not asked to fetch."""

from __future__ import annotations

from pathlib import Path

from runferry.errors import NotFound
from runferry.losses import Fate, Loss
from runferry.paths import regular

POINTER = b"version https://git-lfs.github.com/spec/"
LFS_CODE = "git-lfs-pointer"
_FETCH = "git lfs pull"


def is_lfs_pointer(path: Path) -> bool:
    """Whether a pointer stands here. False for what cannot be opened: reading it says why."""
    if regular(path) is None:
        return False
    try:
        with path.open("rb") as stream:
            return stream.read(len(POINTER)) == POINTER
    except OSError:
        return False


def lfs_loss(label: str) -> Loss:
    """A run's file that is only a pointer."""
    detail = f"a Git LFS pointer stands here, not the file itself; fetch it with: {_FETCH}"
    return Loss(LFS_CODE, Fate.DROPPED, label, 1, detail)


def lfs_error(path: Path) -> NotFound:
    """A file that was asked for by name is only a pointer."""
    return NotFound("a Git LFS pointer, not the file itself", where=str(path), hint=_FETCH)
