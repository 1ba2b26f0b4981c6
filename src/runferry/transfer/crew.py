"""Threads that take one run after another, each with a reader or writer of its own.

Here is the one boundary at which any exception becomes a recorded failure of one run.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Generic, Protocol, TypeVar

from runferry.errors import (
    AuthFailed,
    MissingExtra,
    NoSpace,
    RunferryError,
    Throttled,
    Unreachable,
    UsageError,
)
from runferry.http.waits import waiting_by
from runferry.losses import Loss
from runferry.model import Run
from runferry.transfer.patience import pause_by
from runferry.transfer.progress import Interrupted, Observer, Phase, StopToken
from runferry.transfer.report import RunOutcome
from runferry.transfer.waves import Waves

_ALIKE = 1_000
"""Kinds of losses that are known again; no more, where each run has its own."""

HOPELESS = (AuthFailed, MissingExtra, NoSpace, Throttled, Unreachable, UsageError)
"""What would befall every other run as well, so that the rest is not tried."""


class Closable(Protocol):
    """A reader or a writer."""

    def close(self) -> None:
        """Let go."""
        ...


Tool = TypeVar("Tool", bound=Closable)
Item = TypeVar("Item")


class Crew(Generic[Tool, Item]):
    """Runs `work` over items; memory holds one item a worker, and one outcome a run."""

    def __init__(
        self,
        phase: Phase,
        open_tool: Callable[[], Tool],
        *,
        header: Callable[[Item], Run],
        observer: Observer,
        stop: StopToken,
        workers: int = 1,
    ) -> None:
        self._phase: Phase = phase
        self._open_tool = open_tool
        self._header = header
        self._observer = observer
        self._stop = stop
        self._workers = max(1, workers)
        self._lock = threading.Lock()
        self._outcomes: list[RunOutcome] = []
        self._alike: dict[tuple[Loss, ...], tuple[Loss, ...]] = {}
        self._broken: BaseException | None = None
        self.aborted: RunferryError | None = None

    @property
    def is_interrupted(self) -> bool:
        """Whether the user asked for an end."""
        return self._stop.is_set

    @property
    def outcomes(self) -> tuple[RunOutcome, ...]:
        """All of them so far."""
        return tuple(self._outcomes)

    def run(
        self, items: Iterable[Item], work: Callable[[Tool, Item], RunOutcome]
    ) -> tuple[RunOutcome, ...]:
        """One outcome for each item that was begun, in the order in which they ended.

        Raises what opening the first tool raises. What ends the queue of items half-way, keeps a
        further tool from opening, or any from closing, is in `aborted`: the outcomes so far stand.
        """
        return self.run_in_turn([items], work)

    def run_in_turn(
        self, waves: Iterable[Iterable[Item]], work: Callable[[Tool, Item], RunOutcome]
    ) -> tuple[RunOutcome, ...]:
        """The same of items that wait for others: a wave begins when all of the one before ended.

        Threads, and what they opened, stay until the end.
        """
        if self._stop.is_set or self.aborted is not None:
            return self.outcomes
        queue = Waves(waves)
        try:
            with waiting_by(pause_by(self._stop, self._observer)):
                first = self._open_tool()  # what is wrong with all is said once, before any thread
        except Interrupted:
            return self.outcomes
        if self._workers == 1:
            self._labour(first, queue, work)
        else:
            self._together(first, queue, work)
        if self._broken is not None:
            raise self._broken
        return self.outcomes

    def _together(
        self, first: Tool, queue: Waves[Item], work: Callable[[Tool, Item], RunOutcome]
    ) -> None:
        tools: list[Tool | None] = [first, *[None] * (self._workers - 1)]
        threads = [
            threading.Thread(
                target=self._labour, args=(tool, queue, work), name=f"{self._phase}-{n}"
            )
            for n, tool in enumerate(tools)
        ]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                while thread.is_alive():
                    thread.join(timeout=0.2)  # so that signals are heard in the main thread
        except BaseException:
            self._stop.set()
            raise

    def _labour(
        self, tool: Tool | None, queue: Waves[Item], work: Callable[[Tool, Item], RunOutcome]
    ) -> None:
        try:
            with self._recorded(), waiting_by(pause_by(self._stop, self._observer)):
                while (item := queue.take(self._is_over)) is not None:
                    # within: who waits for this item hears first that there is no going on
                    with queue.at_work(), self._recorded():
                        tool = self._open_tool() if tool is None else tool
                        self._one(tool, item[0], work)
        finally:
            if tool is not None:
                with self._recorded():
                    tool.close()

    @contextmanager
    def _recorded(self) -> Iterator[None]:
        """Around what concerns no single run: its failure is kept, and no further item is begun."""
        try:
            yield
        except Interrupted:
            pass  # between two items: there is nothing to report
        except RunferryError as error:
            self.aborted = self.aborted or error
        except Exception as error:  # noqa: BLE001  a bug: raised by `run`, in its thread
            with self._lock:
                self._broken = self._broken or error

    def _is_over(self) -> bool:
        """Whether no further item is begun, whatever is left."""
        return self._stop.is_set or self.aborted is not None or self._broken is not None

    def _shared(self, losses: tuple[Loss, ...]) -> tuple[Loss, ...]:
        """The same object for equal ones: runs that are many are often lossy in the same way."""
        if len(self._alike) < _ALIKE:
            return self._alike.setdefault(losses, losses)
        return self._alike.get(losses, losses)

    def _one(self, tool: Tool, item: Item, work: Callable[[Tool, Item], RunOutcome]) -> None:
        run = self._header(item)
        self._observer.began(self._phase, run)
        try:
            outcome = work(tool, item)
        except Interrupted:
            outcome = RunOutcome.of(run, "interrupted")
        except HOPELESS as error:
            outcome = RunOutcome.failure(run, error)
            self.aborted = self.aborted or error
        except Exception as error:  # noqa: BLE001  one bad run does not end the rest
            outcome = RunOutcome.failure(run, error)
        with self._lock:
            self._outcomes.append(replace(outcome, losses=self._shared(outcome.losses)))
        self._observer.ended(self._phase, outcome)
