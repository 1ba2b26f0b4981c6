"""Where a run is to lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Place:
    """The folder in which a run is to lie when it is complete, and its id in W&B.

    Artifacts state their project themselves: `wandb sync --project` moves the run, not them. An
    entity of "" is that of whoever uploads.
    """

    folder: Path
    run_id: str
    project: str
    entity: str = ""
