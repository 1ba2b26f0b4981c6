"""What processes that were killed left behind, and nobody will ask for."""

from __future__ import annotations

import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from runferry.dialects.plain_folder.layout import HIDDEN, MARK, is_uid

CLAIM: Final = "claim"
"""Who is writing a run: a file beside the attempts to do so."""

GONE: Final = "gone-"
"""What the name of a folder begins with that is being removed."""

_SURELY_DEAD_SECONDS: Final = 3600.0


def clear_leftovers(root: Path) -> None:
    """Remove folders that were on their way out, claims to nothing, and old scratch files.

    What is half written of a run stays: the next push of that run removes it.
    """
    for path in (root / HIDDEN).iterdir():
        if path.name.startswith(GONE):
            shutil.rmtree(path, ignore_errors=True)
        elif is_uid(path.name):
            _clear_claim(path)
        elif path.name != "listed.json":
            _clear_scratch(path)
    for path in root.glob(f".{MARK}.*"):
        _clear_scratch(path)


def _clear_claim(attempts: Path) -> None:
    with suppress(OSError):  # it is gone, or in use again
        if [path.name for path in attempts.iterdir()] == [CLAIM]:
            (attempts / CLAIM).unlink()
        attempts.rmdir()


def _clear_scratch(path: Path) -> None:
    with suppress(OSError):
        if time.time() - path.stat().st_mtime > _SURELY_DEAD_SECONDS:
            path.unlink()
