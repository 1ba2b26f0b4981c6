"""Making a whole folder last."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from runferry.durable import sync

_AT_ONCE: Final = 512


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
