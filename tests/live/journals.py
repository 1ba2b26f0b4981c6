"""What journals hold, and the ways in which a record gets into one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runferry.live.frames import Kind, frames
from runferry.live.journal import Journal


def events_in(folder: Path) -> list[tuple[str, bytes]]:
    found = []
    for path in sorted(folder.glob("*.journal")):
        sources = {}
        with path.open("rb") as stream:
            for frame in frames(stream, 0):
                if frame.kind == Kind.SOURCE:
                    sources[frame.source] = frame.payload.decode()
                elif frame.kind == Kind.EVENT:
                    found.append((sources[frame.source], frame.payload))
    return found


BEGIN = """
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from runferry.live.frames import Kind
from runferry.live.journal import Journal
journal = Journal(Path("journal"))
"""
WAYS = """
def append(payload, source="here"):
    journal.append("test", Kind.EVENT, source, payload)

def by_lane(payload, source="here"):
    if not journal.lane("test", source).put(payload):
        append(payload, source)
"""
"""How a record gets into a journal: as hooks do it, and as those do it that are called for each
value."""
BOTH = pytest.mark.parametrize("way", ["append", "by_lane"])


def way_into(journal: Journal, way: str) -> Callable[..., None]:
    names: dict[str, Any] = {"journal": journal, "Kind": Kind}
    exec(WAYS, names)
    found: Callable[..., None] = names[way]
    return found
