"""Outputs: folders that are emptied before they are used, on the disk that holds the inputs."""

from __future__ import annotations

import shutil
from pathlib import Path

from bench.environments import HOME


def scratch(name: str) -> Path:
    """A path below `.bench/scratch` where nothing is, in a folder that exists."""
    place = HOME / "scratch" / name
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.is_dir():
        shutil.rmtree(place)
    place.unlink(missing_ok=True)
    return place
