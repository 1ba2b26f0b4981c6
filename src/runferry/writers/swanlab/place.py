"""Where a run is to lie among SwanLab's."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from runferry.model import Run, Uid, instant

_ID: Final = re.compile(r"[A-Za-z0-9_\-]{1,64}")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Place:
    """The folder in which a run is to lie when it is complete, and its id in SwanLab."""

    folder: Path
    run_id: str


def place_of(root: Path, run: Run, uid: Uid, ours: Path | None) -> Place:
    """The folder that SwanLab's client would make; `ours` is where the run lies already.

    The id is the run's own, if SwanLab takes it and no other run here has it; else its mark.
    """
    wished = run.key.run_id if _ID.fullmatch(run.key.run_id) else str(uid)
    if ours is not None and ours.is_dir():
        logs = sorted(path.name for path in ours.glob("run-*.swanlab"))
        if logs:
            return Place(ours, logs[0].removeprefix("run-").removesuffix(".swanlab"))
    taken = any(path.name.endswith(f"-{wished}") for path in root.glob("run-*"))
    run_id = str(uid) if taken else wished
    begun = run.started_ns if run.started_ns is not None else run.created_ns
    when = _EPOCH if begun is None else instant(max(begun, 0))
    return Place(root / f"run-{when:%Y%m%d_%H%M%S}-{run_id}", run_id)
