"""A run that goes on in a later session: what an earlier session captured of it comes along.

W&B's runs are resumed by their id, MLflow's by `start_run(run_id=…)`, ClearML's tasks by
`Task.init(continue_last_task=…)`, hours later and by another process, which has a session of its
own. Would that session bring only its own part of the run, a destination that is written whole
would lose the rest. So its delivery process first copies the earlier records of that run into a
journal here, from where they are taken like all others.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from runferry._native import journal_frame
from runferry.live.frames import SUFFIX, VERSION, Frame, Kind, frames
from runferry.live.layout import Layout, Stated, is_live, journals, sessions
from runferry.live.replicas.beside import bring
from runferry.live.replicas.calls import calls_name
from runferry.live.replicas.clearml import session_name
from runferry.model import Tree
from runferry.paths import inside

ADOPTED: Final = f"{0:020d}-"
"""How the names of journals with adopted records begin: before those of all processes."""
Facts = dict[str, Tree]
_RESUMED: Final = {"wandb": "stream", "mlflow": "run", "clearml": "run"}
"""Trackers whose runs are resumed, and which fact names a run."""


class Adoption:
    """Brings earlier records of runs into the journals of a session, each run once."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._asked: set[tuple[str, str]] = set()

    def of(self, facts: Facts) -> bool:
        """Adopt what an earlier session has of the run that these facts name; whether it did.

        Raises OSError.
        """
        named = _run_of(facts)
        if named is None or named in self._asked:
            return False
        self._asked.add(named)
        target = self._layout.journals / f"{ADOPTED}{calls_name(*named)}{SUFFIX}"
        earlier = None if target.exists() else self._earlier(named)
        if earlier is None:
            return False
        scratch = target.with_name(f".{target.stem}")
        with scratch.open("wb") as stream:
            _copied(earlier, named, stream, self._layout.files)
        scratch.replace(target)
        return True

    def _earlier(self, named: tuple[str, str]) -> Layout | None:
        """The last session before this one that has the run, and these very destinations.

        It has what was before it, too: it adopted that itself.
        """
        own = self._layout.root.absolute()
        to = Stated.read(own).destinations
        for root in reversed(sessions(own.parent)):
            layout = Layout(root)
            is_before = root != own and _began(root) < _began(own)
            if is_before and _has(layout, named) and Stated.read(root).destinations == to:
                return None if is_live(layout) else layout
        return None


def _run_of(facts: Facts) -> tuple[str, str] | None:
    tracker = str(facts.get("tracker"))
    fact = _RESUMED.get(tracker)
    named = facts.get(fact) if fact is not None else None
    return None if named is None else (tracker, str(named))


def _began(root: Path) -> int:
    return (root / "session.json").stat().st_mtime_ns


def _has(layout: Layout, named: tuple[str, str]) -> bool:
    tracker, run_id = named
    if tracker == "mlflow":
        return (layout.replicas / "calls" / calls_name(tracker, run_id)).exists()
    folders = layout.replicas / tracker
    if tracker == "clearml":
        return (folders / session_name(run_id)).exists()
    names = [path.name for path in folders.iterdir()] if folders.is_dir() else []
    return any(name.endswith(f"-{run_id}") or f"-{run_id}~" in name for name in names)


def _copied(earlier: Layout, named: tuple[str, str], target: BinaryIO, files: Path) -> None:
    """Write a journal with all records of one run, with their times, and bring their files."""
    target.write(
        journal_frame(Kind.BEGIN, 0, json.dumps({"version": VERSION, "process": 0}).encode())
    )
    numbers: dict[bytes, int] = {}
    for source, frame in _records(earlier, named):
        if source not in numbers:
            numbers[source] = len(numbers) + 1
            target.write(journal_frame(Kind.SOURCE, numbers[source], source, frame.time_ns))
        target.write(journal_frame(Kind(frame.kind), numbers[source], frame.payload, frame.time_ns))
        if frame.kind == Kind.CALL:
            _bring_file(json.loads(frame.payload), earlier.files, files)
    target.write(journal_frame(Kind.COUNTS, 0, b"{}"))


def _records(earlier: Layout, named: tuple[str, str]) -> Iterator[tuple[bytes, Frame]]:
    """What each record of a run is from, and the record; in the order in which it was captured.

    Its processes went one after the other, or it was joined by those that ran at once.
    """
    for path in journals(earlier):
        sources: dict[int, bytes] = {}
        with path.open("rb") as stream:
            for frame in frames(stream, 0):
                if frame.kind == Kind.SOURCE:
                    if _run_of(json.loads(frame.payload)) == named:
                        sources[frame.source] = frame.payload
                elif frame.source in sources:
                    yield sources[frame.source], frame


def _bring_file(call: Facts, home: Path, files: Path) -> None:
    told = call.get("files")
    for copy in (call.get("copy"), *(told.values() if isinstance(told, dict) else ())):
        found = inside(home, copy) if isinstance(copy, str) else None
        if found is not None:
            bring(found, files / str(copy))
