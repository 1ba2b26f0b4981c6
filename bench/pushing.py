"""First pushes of an archive, each as if it were the only one, and the peers beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench import child
from bench.scratch import scratch

_TURNS = 3


@dataclass(frozen=True, slots=True)
class Turns:
    """What both took, turn by turn."""

    ours: Sequence[child.Result]
    peers: Sequence[child.Result]

    @property
    def seconds(self) -> float:
        """Ours, by the wall clock: the median."""
        return median(lap.lap_wall_seconds for lap in self.ours)

    @property
    def peer_seconds(self) -> float:
        """The peer's."""
        return median(lap.lap_wall_seconds for lap in self.peers)

    def figures(self) -> dict[str, Any]:
        """Every sample."""
        return {
            "wall_seconds": [lap.lap_wall_seconds for lap in self.ours],
            "cpu_seconds": [lap.lap_cpu_seconds for lap in self.ours],
            "peer_wall_seconds": [lap.lap_wall_seconds for lap in self.peers],
            "peer_cpu_seconds": [lap.lap_cpu_seconds for lap in self.peers],
        }


def in_turns(ours: Callable[[], child.Result], peer: Callable[[], child.Result]) -> Turns:
    """Three times each, one after the other."""
    laps = [(ours(), peer()) for _ in range(_TURNS)]
    return Turns([one for one, _ in laps], [one for _, one in laps])


def push_anew(
    tracker: str, archive: Path, folder: Path, *patterns: str, below: str = "", **env: str
) -> child.Result:
    """Push into a folder where nothing is; the archive's ledger knows of none.

    Files of the patterns are synced inside the measured time. Raises ChildFailed when a run failed.
    """
    scratch(folder.name)
    for ledger in archive.glob("ledger.sqlite*"):
        ledger.unlink()
    asked: tuple[str | Path, ...] = (tracker, archive, folder / below, *patterns)
    lap = child.ours("push_folder.py", *asked, on_cores=2, **env)
    if lap.outcome["failed"]:
        raise child.ChildFailed(f"nothing was authored: {lap.outcome['failed'][0]}")
    return lap
