"""The delivery process: follows the journals of one session, and brings what they have everywhere.

    journals ▶ replicas ▶ archive ▶ destinations, each in a thread of its own

Killed at any moment and begun again, here or on another machine, it goes on: replicas are a
function of the journals, a pull continues from its cursor, and each destination has a ledger.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import runferry
from runferry.archive.lock import FileLock
from runferry.errors import RunferryError
from runferry.live.adoption import Adoption
from runferry.live.calls_reader import CallsReader
from runferry.live.captured import Captured
from runferry.live.follower import Follower
from runferry.live.hub import Hub, Opened
from runferry.live.joined import ExperimentsReader
from runferry.live.layout import Layout, is_live
from runferry.live.origins import came_from, is_read_there
from runferry.live.replicas.all import Replicas, forget
from runferry.live.service_records import ServiceRecords
from runferry.live.sessions_reader import SessionsReader
from runferry.live.status import DestinationStatus, State, Status, name_of
from runferry.model import Run
from runferry.ports import Location, Reader, ReadOptions

_LOOK_SECONDS = 0.1
_ALONE_SECONDS = 60.0  # how long nobody may have begun a journal
_ASKED_SECONDS = 0.5  # who asks for the status may hold the lock for a moment


@dataclass(frozen=True, slots=True)
class Ends:
    """When to stop."""

    patience: float = 300.0  # seconds that failing destinations are tried for when all else is done


class Delivery:
    """One session on its way; only one process delivers it at a time."""

    def __init__(
        self,
        layout: Layout,
        places: tuple[Location, ...],
        ends: Ends,
        refused: tuple[DestinationStatus, ...] = (),
    ) -> None:
        """`refused` are places that are none. Raises Locked, what opening destinations raises, and
        OSError.
        """
        self._layout = layout
        self._refused = refused
        self._ends = ends
        self.has_failed = False  # the session's own folder could not be written
        self._lock = FileLock(layout.delivery_lock)
        self._lock.acquire(wait=_ASKED_SECONDS, what="this session's deliveries")
        with contextlib.ExitStack() as undoing:
            undoing.callback(self._lock.release)
            if Status.read(layout.status) is None:  # while there is space for one
                begun = (*(DestinationStatus(name_of(place)) for place in places), *refused)
                Status("following", os.getpid(), destinations=begun).write(layout.status)
            _forget_others(layout)
            self._replicas = Replicas(layout.replicas)
            self._hub = Hub(layout.archive, places, self._sources, self._excluded)
            self._stop = self._hub.stop
            adoption = Adoption(layout)
            self._follower = Follower(layout.journals, layout.rounds, self._replicas, adoption)
            while self._follower.advance():
                pass
            undoing.pop_all()
        self._service = ServiceRecords(layout.journals, self._replicas.of_services)
        self._told: Status | None = None

    def run(self) -> Status:
        """Deliver until nothing is left, or patience ends."""
        self._hub.start()
        try:
            while True:
                self._follow()
                status = self._finish()
                if status is not None:
                    return status
        except OSError as error:
            return self._failed(error)
        finally:
            self._hub.close()
            self._follower.close()
            self._lock.release()

    def stop(self) -> None:
        """End at the next safe point; another process can go on."""
        self._stop.set()

    @property
    def is_stopped(self) -> bool:
        """Whether somebody ended it."""
        return self._stop.is_set

    def _failed(self, error: OSError) -> Status:
        """What was half written is made again from the journals, by whoever begins anew.

        That is not given up as long as somebody trains.
        """
        self.has_failed = True
        told = f"{self._layout.root} cannot be written: {error.strerror or error}"
        self._hub.fails(told)
        goes_on = is_live(self._layout) and not self.is_stopped
        state: State = "delivering" if goes_on else "gave-up"
        with contextlib.suppress(OSError):
            return self._tell(state)
        return self._status(state)

    def _follow(self) -> None:
        """Until all processes that trained are gone."""
        is_behind, began = True, time.monotonic()
        while not self._stop.is_set:
            self._service.look(self._replicas.sources.values())
            is_behind = self._advance() or is_behind
            if is_behind and self._hub.is_rested:
                is_behind = not self._bring(is_ending=False)
            self._tell("following")
            is_alone = not self._follower.files and time.monotonic() - began > _ALONE_SECONDS
            if is_alone or self._follower.is_over():
                return
            if not self._follower.rest:
                self._stop.wait(_LOOK_SECONDS)

    def _finish(self) -> Status | None:
        """What is left when nothing more comes; None where a process has begun again meanwhile."""
        self._service.finish(self._replicas.sources.values(), self._stop)
        while self._advance() and not self._stop.is_set:
            pass
        with self._hub.sources_lock:
            self._replicas.end()
        self._bring(is_ending=True)
        deadline = time.monotonic() + self._ends.patience
        while not self._stop.is_set:
            if self._hub.failing is not None and self._hub.is_rested:
                self._bring(is_ending=True)
            if self._is_news():
                return None
            if self._hub.is_done:
                return self._tell("gave-up" if self._refused else "done")
            if self._hub.is_going_on:
                deadline = time.monotonic() + self._ends.patience
            elif time.monotonic() >= deadline:
                break
            self._tell("delivering")
            self._stop.wait(_LOOK_SECONDS)
        return self._tell("gave-up")

    def _bring(self, *, is_ending: bool) -> bool:
        """Whether that could be tried; what stands in the way (no space, say) is told."""
        try:
            self._hub.bring(self._captured(), is_ending=is_ending)
        except RunferryError as error:
            self._hub.fails(str(error).partition("\n")[0])
            return False
        return True

    def _is_news(self) -> bool:
        """Whether somebody writes to the session again."""
        is_new = self._advance()
        return is_new or (bool(self._follower.files) and not self._follower.is_over())

    def _advance(self) -> bool:
        with self._hub.sources_lock:
            return self._follower.advance()

    def _sources(self) -> Iterator[Opened]:
        for place in self._replicas.places():
            yield place, _opener(place)

    def _excluded(self, place: Location, run: Run) -> bool:
        sources = list(self._replicas.sources.values())
        if any(came_from(place, run, facts) for facts in sources):
            return True
        return is_read_there(place, run, sources, self._replicas.read_by_wandb())

    def _captured(self) -> Captured:
        """Records that processes which train have written, as far as they are taken."""
        counted = (
            (file.sources.get(source, {}), count)
            for file in self._follower.files
            for source, count in file.taken.items()
        )
        return Captured.from_sources([one for one in counted if "service" not in one[0]])

    def _tell(self, state: State) -> Status:
        status = self._status(state)
        if status != self._told:
            status.write(self._layout.status)
            self._told = status
        return status

    def _status(self, state: State) -> Status:
        files = self._follower.files
        dropped = sum(sum(file.counts.get("dropped", {}).values()) for file in files)
        captured = self._captured().total
        return Status(
            state,
            os.getpid(),
            captured,
            dropped,
            (*self._hub.told(captured), *(replace(one, pending=captured) for one in self._refused)),
            {file.path.name: file.offset for file in files},
        )


def _forget_others(layout: Layout) -> None:
    """Replicas of another version of runferry may have other bytes: they are made anew, and with
    them the archive, whose cursors are places in them. Raises OSError.
    """
    here = runferry.__version__
    with contextlib.suppress(FileNotFoundError):
        if layout.made_by.read_text() == here:
            return
    forget(layout.replicas)
    if layout.archive.exists():
        shutil.rmtree(layout.archive)
    scratch = layout.made_by.with_name(f".{layout.made_by.name}")
    scratch.write_text(here)
    scratch.replace(layout.made_by)


def _opener(place: Location) -> Callable[[], Reader] | None:
    """What reads a folder of replicas, where the registry does not know it."""
    match place.tracker:
        case "calls":
            return lambda: CallsReader.open(place, ReadOptions())
        case "experiments":
            return lambda: ExperimentsReader.open(place, ReadOptions())
        case "clearml":
            return lambda: SessionsReader.open(place, ReadOptions())
        case _:
            return None
