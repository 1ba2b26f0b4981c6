"""How many records were captured, and how many of them are of some runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from runferry.live.experiment import TRACKER
from runferry.live.origins import is_of
from runferry.model import Run, Tree

_NAMED = {"wandb": "stream", "mlflow": "run", "clearml": "run", "lightning": "run"}
"""The fact of a source that is the id of its run."""


def _nobodys(runs: Sequence[Run]) -> int:
    del runs
    return 0


@dataclass(frozen=True, slots=True)
class Captured:
    """Equal to another of as many."""

    total: int = 0
    of: Callable[[Sequence[Run]], int] = field(default=_nobodys, compare=False)
    """How many are of these runs; what nobody can tell of which run it is, is of none."""

    @classmethod
    def from_sources(cls, counted: Sequence[tuple[Mapping[str, Tree], int]]) -> Self:
        """Of what hooks have said that records are from, and how many are from that."""

        def of(runs: Sequence[Run]) -> int:
            return sum(n for facts, n in counted if any(_gave(facts, run) for run in runs))

        return cls(sum(n for _, n in counted), of)


def _gave(facts: Mapping[str, Tree], run: Run) -> bool:
    """Whether records of a source are of this run."""
    tracker, key = str(facts.get("tracker")), run.key
    if experiment := facts.get("experiment"):  # event files that belong to it
        return (key.tracker, key.run_id) == (TRACKER, experiment)
    if tracker == "tensorboard":
        return key.tracker == tracker and is_of(run, facts)
    named = facts.get(_NAMED.get(tracker, "run"))
    return (key.tracker, key.run_id) == (tracker, named)
