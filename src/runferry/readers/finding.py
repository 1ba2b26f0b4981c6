"""Finds files of tables below a folder, and gives runs without ids their names."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

from runferry.errors import NotFound
from runferry.model import RunKey, Tree
from runferry.paths import folders_below, regular, spelled
from runferry.tables import dumps


def files_below(root: Path, is_named: Callable[[str], bool]) -> Iterator[Path]:
    """`root` itself where it is a file; else the files below it whose names fit, by folder."""
    if not root.is_dir():
        if regular(root) is not None:
            yield root
        return
    for folder, entries in folders_below(root):
        for entry in entries:
            if is_named(entry.name) and regular(folder / entry.name) is not None:
                yield folder / entry.name


def begins_with(path: Path, word: bytes) -> bool:
    """Whether a file's first few bytes have this word; cheap enough to ask of every file."""
    try:
        with path.open("rb") as stream:
            return word in stream.read(64).replace(b"\0", b"")  # UTF-16 has it spaced out
    except OSError:
        return False


def is_lfs_pointer(path: Path) -> bool:
    """Whether Git LFS left a pointer in place of the file."""
    return begins_with(path, b"https://git-lfs.github.com/spec/")


def check_there(path: Path, what: str) -> None:
    """Raises NotFound where there is nothing."""
    if not path.exists():
        raise NotFound("no such file or folder", where=str(path), hint=f"name {what}")


def label_of(root: Path, path: Path) -> str:
    """A path below the root as messages and ids have it; the root's own name for itself."""
    below = path.relative_to(root).as_posix() if path != root else "."
    return spelled(below if below != "." else path.name or path.resolve().name)


def key_of(tracker: str, label: str, record: Tree) -> RunKey:
    """The key of a run without an id: where it lies, and a fingerprint of its first record."""
    digest = hashlib.blake2b(dumps(record).encode("utf-8", "surrogatepass"), digest_size=4)
    return RunKey(tracker, "", f"{label}-{digest.hexdigest()}")
