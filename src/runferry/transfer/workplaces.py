"""Where the workers of a pull do their work: in threads, and for many runs in processes.

Python's threads take turns, so that many small runs would keep one processor busy and no more. A
process takes half a second to start, in which its worker goes on by itself, and some 150 MB; so
only a worker that has had a number of runs asks for one, and only where its reader can hand on its
work. Which run is next, what is tried again and what is reported stays in this process.
"""

from __future__ import annotations

import os
import pickle
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from runferry.model import Run
from runferry.ports import PortableReader, Reader
from runferry.transfer.pull_process import PullProcess
from runferry.transfer.puller import Pulled, Puller

RUNS_BEFORE = 8
"""Runs that a worker does by itself before it asks for a process."""
_SECONDS_BETWEEN_LOOKS = 0.2


class Workplaces:
    """Opens a workplace for each worker; no more processes than there are processors."""

    def __init__(self, puller: Puller, open_reader: Callable[[], Reader], workers: int) -> None:
        self._puller = puller
        self._open_reader = open_reader
        is_python = bool(sys.executable) and not getattr(sys, "frozen", False)
        self._is_apart = workers > 1 and is_python
        self._left = threading.Semaphore(os.cpu_count() or 1 if self._is_apart else 0)
        self._processes: list[PullProcess] = []
        self._is_over = threading.Event()

    def __enter__(self) -> Self:
        if self._is_apart:
            threading.Thread(target=self._pass_stop_on, name="pull-stop", daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_over.set()
        if self._puller.stop.is_set:
            self._stop_all()

    def open(self) -> Workplace:
        """For one worker; raises what opening the reader raises."""
        return Workplace(self._puller, self._open_reader(), self._process)

    def _process(self, reader: type[Reader]) -> PullProcess | None:
        """A new one, if there may be one more."""
        if self._is_over.is_set() or not self._left.acquire(blocking=False):
            return None
        # the system has no room for it, or it cannot be told what to do: then it is done here
        with suppress(OSError, RuntimeError, pickle.PicklingError):
            process = PullProcess(self._puller, reader)
            self._processes.append(process)
            return process
        return None

    def _pass_stop_on(self) -> None:
        while not self._is_over.wait(_SECONDS_BETWEEN_LOOKS):
            if self._puller.stop.is_set:
                self._stop_all()

    def _stop_all(self) -> None:
        for process in self._processes:
            process.stop()


class Workplace:
    """One worker's."""

    def __init__(
        self,
        puller: Puller,
        reader: Reader,
        new_process: Callable[[type[Reader]], PullProcess | None],
    ) -> None:
        self._puller = puller
        self._reader = reader
        self._new_process = new_process
        self._process: PullProcess | None = None
        self._runs = 0

    def update(self, run: Run) -> Pulled:
        """Bring one run up to date. Raises what `Puller.update` raises."""
        reader = self._reader
        if not isinstance(reader, PortableReader):
            return self._puller.update(reader, run)
        self._runs += 1
        if self._runs == RUNS_BEFORE:
            self._process = self._new_process(type(reader))
        process = self._process
        if process is not None and process.is_of_use:
            return process.update(reader.alone(run), run)
        return self._puller.update(reader, run)

    def close(self) -> None:
        """Let go of reader and process."""
        if self._process is not None:
            self._process.close()
        self._reader.close()
