"""Where a run is to lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Place:
    """The folder in which a run is to lie when it is complete, and its id in W&B."""

    folder: Path
    run_id: str
