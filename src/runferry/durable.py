"""Writing so that it lasts: synced files and folders, atomic replacement."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from runferry import _native


def sync(paths: Iterable[Path]) -> None:
    """Make files and the names in folders durable, each once.

    Several at a time: the disk's journal then writes them in one go, which takes little longer
    than one of them alone. Folders are passed over where the system cannot sync them (Windows).
    """
    _sync(sorted(set(paths)))


def _sync(paths: list[Path]) -> None:
    if sys.platform == "darwin":  # Rust would ask for a flush that some network disks refuse
        for path in paths:
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
    else:
        _native.sync(paths)


def write_atomically(
    path: Path, content: bytes, *, scratch: str, before: Iterable[Path] = ()
) -> None:
    """Replace a file's content in one durable step, once all of `before` is durable too.

    `scratch` names the attempt. Makes the folder; that its own name lasts is the caller's.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{scratch}")
    try:
        temporary.write_bytes(content)
        sync([temporary, *before])
        replace_file(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync([path.parent])


def replace_file(new: Path, path: Path) -> None:
    """Put a file in another's place. On Windows a reader that has it open is waited for."""
    for pause in _SHARED_PAUSES if os.name == "nt" else ():
        try:
            new.replace(path)
            return
        except PermissionError:
            if not path.exists():  # no reader can be in the way
                raise
            time.sleep(pause)
    new.replace(path)


_SHARED_PAUSES = (0.001, 0.005, 0.02, 0.1, 0.5)


_AT_ONCE = 512


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
