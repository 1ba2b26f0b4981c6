"""All replicas of a session: which record belongs to which, and where our readers find them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from runferry.dialects.clearml.names import LOG_FILE, METRICS_FILE
from runferry.live.experiment import TRACKER
from runferry.live.frames import Frame, Kind
from runferry.live.replicas.calls import CallsReplica
from runferry.live.replicas.clearml import SessionReplica
from runferry.live.replicas.tensorboard import EventReplica, place_of
from runferry.live.replicas.wandb import WandbReplica
from runferry.model import Tree
from runferry.ports import Location

CALLS = "calls"
"""What the folder of calls is called; no reader of the registry knows it."""


EXPERIMENTS = "experiments"
"""The same of experiments of ours."""
CLEARML = "clearml"
_MADE = (
    "wandb/*/*.wandb",
    *(f"{CLEARML}/*/{name}" for name in (METRICS_FILE, LOG_FILE)),
    *(f"{folder}/**/*tfevents*" for folder in ("tensorboard", EXPERIMENTS)),
    *(f"{folder}/**/*.calls" for folder in (CALLS, EXPERIMENTS)),
)
"""What is a function of the journals alone."""


def forget(root: Path) -> None:
    """Remove what is made again; files that were brought stay, as their originals may be gone.

    Raises OSError.
    """
    for pattern in _MADE:
        for path in root.glob(pattern):
            if path.is_file():
                path.unlink()


class Replica(Protocol):
    """What takes the records of one source, in order."""

    def flush(self) -> None:
        """Bring all that is whole to the disk. Raises OSError."""
        ...

    def end(self) -> None:
        """No more comes. Raises OSError."""
        ...


class Replicas:
    """Replicas below one folder, a folder for each tracker."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._wandb: dict[str, WandbReplica] = {}
        self._events: dict[tuple[str, str], EventReplica] = {}
        self._calls: dict[tuple[str, str], CallsReplica | SessionReplica] = {}
        self._taken: set[Path] = set()
        self._touched: dict[int, Replica] = {}
        self.of_services: Counter[str] = Counter()  # records that came from a service's file
        self.sources: dict[str, dict[str, Tree]] = {}  # by what tells them apart

    def learn(self, facts: dict[str, Tree]) -> None:
        """A hook says what its records are from."""
        if "service" in facts:
            return
        self.sources[repr(sorted(facts.items(), key=lambda item: item[0]))] = facts
        if facts.get("tracker") == "wandb":
            self._of_stream(facts).learn(facts)

    def take(self, facts: dict[str, Tree], frame: Frame) -> None:
        """One record of a source. Raises OSError."""
        match frame.kind:
            case Kind.WANDB:
                replica, database = self._of_stream(facts), facts.get("service")
                replica.take(frame, database)
                self._touched[id(replica)] = replica
                if database is not None:
                    self.of_services[str(database)] += 1
            case Kind.EVENT:
                events = self._of_file(facts)
                events.take(frame)
                self._touched[id(events)] = events
            case Kind.CALL:
                calls = self._of_run(facts)
                calls.take(frame)
                self._touched[id(calls)] = calls
            case _:
                pass

    def read_by_wandb(self) -> list[tuple[Path, dict[str, Tree]]]:
        """Folders whose event files W&B's service reads, and what the hook says of that run."""
        return [
            (Path(str(replica.facts.get("cwd") or "/"), folder), replica.facts)
            for replica in list(self._wandb.values())
            for folder in list(replica.event_folders)
        ]

    def flush(self) -> None:
        """Bring what is whole to the disk, where anything came. Raises OSError."""
        touched, self._touched = self._touched, {}
        for replica in touched.values():
            replica.flush()

    def end(self) -> None:
        """No more comes. Raises OSError."""
        replicas: list[Replica] = [*self._wandb.values(), *self._events.values()]
        for replica in (*replicas, *self._calls.values()):
            replica.end()

    def places(self) -> Iterator[Location]:
        """Where there is something to read."""
        for tracker in ("wandb", "tensorboard", CLEARML, CALLS, EXPERIMENTS):
            folder = self._root / tracker
            if folder.is_dir():
                yield Location(tracker, str(folder))

    def _of_stream(self, facts: dict[str, Tree]) -> WandbReplica:
        stream = str(facts.get("stream"))
        if stream not in self._wandb:
            self._wandb[stream] = WandbReplica(self._root / "wandb", self._taken)
        return self._wandb[stream]

    def _of_file(self, facts: dict[str, Tree]) -> EventReplica:
        named = str(facts.get("experiment") or ""), str(facts.get("file"))
        if named not in self._events:
            folder = self._of_experiment(named[0]) if named[0] else self._root
            path = folder / "tensorboard" / place_of(facts)
            self._events[named] = EventReplica(path, Path(named[1]))
        return self._events[named]

    def _of_run(self, facts: dict[str, Tree]) -> CallsReplica | SessionReplica:
        named = str(facts.get("tracker")), str(facts.get("run"))
        if named not in self._calls and named[0] == CLEARML:
            copies = self._root.parent / "files"
            self._calls[named] = SessionReplica(self._root / CLEARML, copies, facts)
        if named not in self._calls:
            is_own = named[0] == TRACKER
            folder = self._of_experiment(named[1]) if is_own else self._root / CALLS
            self._calls[named] = CallsReplica(folder, facts)
        return self._calls[named]

    def _of_experiment(self, run_id: str) -> Path:
        if not run_id.isalnum():
            raise ValueError(f"{run_id!r} is no id of an experiment")
        return self._root / EXPERIMENTS / run_id
