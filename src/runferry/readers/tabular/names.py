"""Names of columns as paths of series, each its own."""

from __future__ import annotations

from collections.abc import Sequence

from runferry.losses import Fate, Loss
from runferry.model import KeyPath


def column_paths(names: Sequence[str], label: str) -> tuple[tuple[KeyPath, ...], tuple[Loss, ...]]:
    """The path of every column, and what was made of names that are padded, empty or repeated."""
    paths: list[KeyPath] = []
    taken: set[KeyPath] = set()
    losses: list[Loss] = []
    padded = sum(name != name.strip() for name in names)
    for number, name in enumerate(names, 1):
        path: KeyPath = (name.strip(),)
        if not name.strip():
            path = (f"column {number}",)
            losses.append(_renamed("nameless-column", label, number, path))
        if path in taken:
            path = (*path, f"column {number}")
            losses.append(_renamed("repeated-column", label, number, path))
        taken.add(path)
        paths.append(path)
    if padded:
        detail = "white space around names of columns was left out"
        losses.append(Loss("padded-name", Fate.RENAMED, label, padded, detail))
    return tuple(paths), tuple(losses)


def _renamed(code: str, label: str, number: int, path: KeyPath) -> Loss:
    detail = f"the column is called {'.'.join(path)!r} here"
    return Loss(code, Fate.RENAMED, f"{label} column {number}", 1, detail)
