"""Finds files below a folder by their names, and names the runs that state no ids."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

from runferry.model import RunKey, Tree
from runferry.paths import folders_below, regular, spelled
from runferry.tables import dumps

_NO_NAMES = ("", "..")  # of a path that does not end in the folder's own name


def files_named(root: Path, is_named: Callable[[str], bool]) -> Iterator[Path]:
    """`root` itself where it is a file; else the regular files below it whose names fit."""
    if not root.is_dir():
        if regular(root) is not None:
            yield root
        return
    for folder in folders_below(root):
        for name in folder.names:
            if is_named(name) and regular(folder.path / name) is not None:
                yield folder.path / name


def begins_with(path: Path, word: bytes) -> bool:
    """Whether a file's first few bytes have this word; cheap enough to ask of every file."""
    if regular(path) is None:  # a pipe would be waited for
        return False
    try:
        with path.open("rb") as stream:
            return word in stream.read(64).replace(b"\0", b"")  # UTF-16 has it spaced out
    except OSError:
        return False


def label_of(root: Path, path: Path) -> str:
    """A path below the root as messages and ids have it; the root's own name for itself."""
    if path != root:
        return spelled(path.relative_to(root).as_posix())
    return spelled(root.name if root.name not in _NO_NAMES else root.resolve().name)


def signature_of(record: Tree) -> str:
    """A short hash of a run's first record; bytes are taken as they are."""
    content = record
    if not isinstance(content, bytes):
        content = dumps(record).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(content, digest_size=4).hexdigest()


def key_of(tracker: str, label: str, signature: str) -> RunKey:
    """The key of a run without an id: where it lies, and what its first record is."""
    return RunKey(tracker, "", f"{label}@{signature}")
