"""Another Python that finds what this one finds, wherever that was imported from."""

from __future__ import annotations

import os
import sys


def command_apart(code: str, *args: str) -> list[str]:
    """What runs this code; no import looks into the working directory, unless here they do."""
    return [sys.executable, "-P", "-c", code, *args]


def environment_apart() -> dict[str, str]:
    """The variables that it needs."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))}
