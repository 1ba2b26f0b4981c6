"""What a transfer says on stderr while it works: a bar on a terminal, lines in the log."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from runferry.cli.grid import count
from runferry.cli.streams import console, printable
from runferry.losses import Fate, beyond
from runferry.settings import Color

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from runferry.model import Run
    from runferry.transfer.migrations import Share
    from runferry.transfer.progress import Observer, Phase
    from runferry.transfer.report import RunOutcome

log = logging.getLogger("runferry.progress")


class Lines:
    """Says in the log what happens to each run, and how long it took."""

    def __init__(self) -> None:
        self._moments: dict[str, float] = {}  # at which the runs at work began

    def phase(self, phase: Phase, runs: int | None) -> None:
        """A phase begins."""
        log.info("%s begins%s", phase, "" if runs is None else f": {count(runs, 'run')}")

    def expected(self, phase: Phase, runs: int) -> None:
        """How many runs a phase goes through, heard later than its begin."""
        log.info("%s of %s", phase, count(runs, "run"))

    def began(self, phase: Phase, run: Run) -> None:
        """Work on a run begins."""
        self._moments[run.uid] = time.monotonic()
        log.debug("%s %s: begun", phase, printable(str(run.key)))

    def advanced(self, phase: Phase, run: Run, rows: int, size_bytes: int) -> None:
        """Too often to be said."""

    def ended(self, phase: Phase, outcome: RunOutcome) -> None:
        """Work on a run is over."""
        run = printable(outcome.run)
        began = self._moments.pop(outcome.uid, None)
        took = "" if began is None else f" in {time.monotonic() - began:.1f} s"
        if outcome.error is not None:
            error = printable(outcome.error)  # told again at the end, where it is not overlooked
            log.info("%s %s: %s%s: %s", phase, run, outcome.status, took, error)
        else:
            lost = _lost(outcome)
            rows = f"{outcome.rows:,} rows"
            log.info("%s %s: %s, %s%s%s", phase, run, outcome.status, rows, took, lost)

    def waiting(self, reason: str, seconds: float) -> None:
        """A pause before another attempt."""
        from runferry.transfer.figures import again_after

        log.warning("%s; %s", printable(reason), again_after(seconds))


def _lost(outcome: RunOutcome) -> str:
    """What is not restored by reading back; the rest is told of all runs together, at the end."""
    from runferry.transfer.report import in_words, moved

    words = in_words(
        loss for one in moved([outcome]) for loss in beyond(one.losses, Fate.REENCODED)
    )
    return f"; lost: {printable(words)}" if words else ""


class Bar(Lines):
    """The same, and a bar that is redrawn."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress
        self._lock = threading.Lock()
        self._task: TaskID | None = None
        self._rows = 0
        self._runs = 0
        self._total: int | None = None
        self._begun = time.monotonic()

    def phase(self, phase: Phase, runs: int | None) -> None:
        """A new bar below the finished ones."""
        super().phase(phase, runs)
        with self._lock:
            self._close()
            self._rows = self._runs = 0
            self._total = runs
            self._begun = time.monotonic()
            self._task = self._progress.add_task(phase, total=runs, said="")

    def expected(self, phase: Phase, runs: int) -> None:
        """The bar has a length from now on."""
        super().expected(phase, runs)
        with self._lock:
            self._total = runs
            if self._task is not None:
                self._progress.update(self._task, total=runs)

    def advanced(self, phase: Phase, run: Run, rows: int, size_bytes: int) -> None:
        """More rows."""
        with self._lock:
            self._rows += rows
            self._draw()

    def ended(self, phase: Phase, outcome: RunOutcome) -> None:
        """One run more."""
        super().ended(phase, outcome)
        with self._lock:
            self._runs += 1
            if self._task is not None:
                self._progress.advance(self._task)
            self._draw()

    def waiting(self, reason: str, seconds: float) -> None:
        """Why nothing moves."""
        super().waiting(reason, seconds)
        with self._lock:
            if self._task is not None:
                self._progress.update(self._task, said=f"waiting {seconds:.0f} s for the server")

    def _draw(self) -> None:
        if self._task is None:
            return
        rate = self._rows / max(time.monotonic() - self._begun, 1e-3)
        done = "" if self._total is None else f"{self._runs:,} of "
        runs = f"{done}{count(self._total or self._runs, 'run')}"
        said = f"{runs}  {count(self._rows, 'row')}  {_rounded(rate)}/s"
        self._progress.update(self._task, said=said)

    def _close(self) -> None:
        """A phase that did not know its length is full when the next begins."""
        if self._task is not None:
            self._progress.update(self._task, total=self._runs, completed=self._runs)

    def close(self) -> None:
        """The last phase is over."""
        with self._lock:
            self._close()


@contextmanager
def watching(
    color: Color, verbosity: int, share_of: Callable[[Run], Share] | None = None
) -> Iterator[Observer]:
    """A bar where stderr is a terminal and somebody wants to see it, else lines alone.

    `share_of` says what else is counted than runs.
    """
    if verbosity < 0 or not sys.stderr.isatty():
        yield Lines()
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from runferry.cli.share_bars import ShareBars

    with Progress(
        TextColumn("{task.description:<8}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[said]}", markup=False),
        TimeElapsedColumn(),
        console=console(sys.stderr, color),
        refresh_per_second=8,
        transient=True,  # what came of it is printed afterwards
    ) as progress:
        bar = Bar(progress) if share_of is None else ShareBars(progress, share_of)
        yield bar
        bar.close()


def _rounded(rate: float) -> str:
    for unit in ("", "k", "M"):
        if rate < 1000:
            return f"{rate:.0f}{unit}" if rate >= 10 or not unit else f"{rate:.1f}{unit}"
        rate /= 1000
    return f"{rate:.1f}G"
