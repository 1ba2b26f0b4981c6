"""What processes that were killed left behind, and nobody will ask for."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from runferry.dialects.plain_folder.layout import HIDDEN, MARK, is_uid
from runferry.writers.attempts import GONE, clear_gone

_SURELY_DEAD_SECONDS: Final = 3600.0


def clear_leftovers(root: Path) -> None:
    """Remove folders that were on their way out, claims to nothing, and old scratch files.

    What is half written of a run stays: the next push of that run removes it.
    """
    clear_gone(root / HIDDEN)
    for path in (root / HIDDEN).iterdir():
        if path.name != "listed.json" and not path.name.startswith(GONE) and not is_uid(path.name):
            _clear_scratch(path)
    for path in root.glob(f".{MARK}.*"):
        _clear_scratch(path)


def _clear_scratch(path: Path) -> None:
    with suppress(OSError):
        if time.time() - path.stat().st_mtime > _SURELY_DEAD_SECONDS:
            path.unlink()
