"""Bars of a migration: of projects, or of models and versions, beside that of the runs."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runferry.cli.bars import Bar

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from runferry.model import Run, Uid
    from runferry.transfer.migrations import Share
    from runferry.transfer.progress import Phase
    from runferry.transfer.report import RunOutcome


@dataclass
class _Count:
    """How many projects, say, there are, and how many have no run left to move."""

    task: TaskID
    left: Counter[str] = field(default_factory=Counter)  # runs, by project
    done: int = 0

    def expect(self, unit: str) -> None:
        self.done -= unit in self.left and not self.left[unit]
        self.left[unit] += 1

    def end(self, unit: str) -> None:
        self.left[unit] -= 1
        self.done += not self.left[unit]


class ShareBars(Bar):
    """The bar of the runs, and one for each count that has more than one thing to count."""

    def __init__(self, progress: Progress, share_of: Callable[[Run], Share]) -> None:
        super().__init__(progress)
        self._share_of = share_of
        self._counting = threading.Lock()
        self._shares: dict[Uid, Share] = {}  # of runs that are not done
        self._counts: dict[str, _Count] = {}

    def phase(self, phase: Phase, runs: int | None) -> None:
        """Every phase counts anew."""
        with self._counting:
            for count in self._counts.values():
                self._progress.remove_task(count.task)
            self._shares.clear()
            self._counts.clear()
        super().phase(phase, runs)

    def listed(self, phase: Phase, runs: Iterable[Run]) -> None:
        """What the phase will go through, where it is known from the beginning."""
        del phase
        with self._counting:
            for run in runs:
                self._expect(run)
            self._show()

    def began(self, phase: Phase, run: Run) -> None:
        """Work on a run begins; where nobody knew of it, it is one more to count."""
        super().began(phase, run)
        with self._counting:
            if run.uid not in self._shares:
                self._expect(run)
                self._show()

    def ended(self, phase: Phase, outcome: RunOutcome) -> None:
        """One run less to do of a project, or one model more that is done."""
        super().ended(phase, outcome)
        with self._counting:
            share = self._shares.pop(outcome.uid, None)
            if share is not None:
                self._counts[share[0]].end(share[1])
                self._show()

    def _expect(self, run: Run) -> None:
        name, unit = self._shares[run.uid] = self._share_of(run)
        if name not in self._counts:
            task = self._progress.add_task(name, total=None, visible=False, said="")
            self._counts[name] = _Count(task)
        self._counts[name].expect(unit)

    def _show(self) -> None:
        for count in self._counts.values():
            total = len(count.left)
            self._progress.update(
                count.task, total=total, completed=count.done, visible=total > 1,
                said=f"{count.done:,} of {total:,}",
            )  # fmt: skip
