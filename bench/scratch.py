"""Outputs: places where nothing is yet, on the disk that holds the inputs."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from bench.environments import HOME

_SPENT = HOME / "spent"


def scratch(name: str) -> Path:
    """A path below `.bench/scratch` where nothing is, in a folder that exists.

    What an earlier turn left there is moved aside, not deleted: a file system that has just deleted
    thousands of files syncs slower for a while. What was written until now is on the disk.
    """
    place = HOME / "scratch" / name
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.exists():
        _SPENT.mkdir(parents=True, exist_ok=True)
        place.rename(Path(tempfile.mkdtemp(dir=_SPENT)) / name)
    if hasattr(os, "sync"):
        os.sync()
    return place


def clear_spent() -> None:
    """Delete what was moved aside."""
    if _SPENT.exists():
        shutil.rmtree(_SPENT)
