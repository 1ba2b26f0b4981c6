"""The place that a complete run is moved to: what it replaces makes room for it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from runferry.errors import Conflict


@contextmanager
def room_at(target: Path, hidden: Path, is_ours: Callable[[Path], bool]) -> Iterator[None]:
    """What stands at `target` goes to `hidden` before, and away after.

    Raises Conflict for what is not ours.
    """
    is_replaced = target.exists()
    if is_replaced:
        if not is_ours(target):
            raise in_the_way(target)
        target.rename(hidden)
    yield
    if is_replaced:
        shutil.rmtree(hidden, ignore_errors=True)


def in_the_way(target: Path) -> Conflict:
    """What stands at `target` is not ours."""
    return Conflict(
        "something else stands where this run should go",
        where=str(target),
        hint="move it away, then run the command again",
    )
