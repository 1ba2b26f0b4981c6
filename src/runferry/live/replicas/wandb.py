"""A run of W&B as its client would have left it offline: a `.wandb` file, and `files` beside it."""

from __future__ import annotations

import re
from itertools import count
from pathlib import Path
from typing import Final

from runferry.dialects.protobuf import field, integer, values
from runferry.live.frames import Frame
from runferry.live.replicas.wandb_files import RunFiles
from runferry.live.replicas.wandb_history import HISTORY, History, Record
from runferry.live.replicas.wandb_log import WandbFile
from runferry.model import Tree

_CONTROL, _RUN, _HEADER = 16, 17, 21
_SAYS_NOTHING: Final = frozenset({11, 18, 20, 21, 22, 100})  # telemetry, an end, frames, requests
_EVENT_FOLDER: Final = 9  # `TBRecord`
_TYPES: Final = frozenset({2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 17, 18, 20, 21, 22, 23, 24, 25,
                           26, 27, 100})  # fmt: skip
_REQUIREMENTS: Final = field(1, field(1, "requirements.txt") + integer(3, 1))
_SHARED_MODE: Final = (3, 67)  # `TelemetryRecord.feature.shared_mode`
_FOLDER: Final = re.compile(r"(?:offline-)?run-\d{8}_\d{6}-[^/\\]+")


class WandbReplica:
    """Takes the records of one stream; a run that begins after the end of another has its own."""

    def __init__(self, root: Path, taken: set[Path]) -> None:
        """`taken` are the folders below the root that other streams have."""
        self._root = root
        self._taken = taken
        self._runs: list[_Run] = []
        self.facts: dict[str, Tree] = {}
        self.event_folders: set[str] = set()  # whose event files its service reads

    def learn(self, facts: dict[str, Tree]) -> None:
        """What the hook says of the run that follows under this name."""
        self.facts = {**self.facts, **facts}

    def take(self, frame: Frame, database: Tree = None) -> None:
        """A record that the client handed to its service; or the service's own, from its file."""
        number, message, is_local = _record(frame.payload)
        if number not in _TYPES:
            return
        if number == _EVENT_FOLDER:
            folder = dict(values(message)).get(1, b"")
            self.event_folders.add(folder.decode() if isinstance(folder, bytes) else "")
        if database is not None:
            for run in self._runs:
                if run.database == database:
                    run.put((number, message))
            return
        if not self._runs or (self._runs[-1].is_over and number in (_HEADER, _RUN)):
            self._runs.append(_Run(self._folder(), self.facts))
        self._runs[-1].take(number, message, frame, is_local=is_local)

    def flush(self) -> None:
        """Bring all that is whole to the disk. Raises OSError."""
        for run in self._runs:
            run.flush()

    def end(self) -> None:
        """No more comes: files that are waited for may be taken as they are. Raises OSError."""
        for run in self._runs:
            run.end()

    def _folder(self) -> Path:
        """As the client's own folder is called, so that both are the same run."""
        named = str(self.facts.get("folder") or "")
        named = named if _FOLDER.fullmatch(named) else "run"
        found, copies = self._root / named, count(2)
        while found in self._taken:
            found = self._root / f"{named}~{next(copies)}"
        self._taken.add(found)
        return found


class _Run:
    """One run on its way into its folder."""

    def __init__(self, folder: Path, facts: dict[str, Tree]) -> None:
        self._log = WandbFile(folder / _file_name(str(facts.get("stream") or "")))
        home = facts.get("files")
        self._files = RunFiles(Path(str(home)) if home else None, folder / "files")
        self.database = facts.get("database")  # that the service writes
        self._is_core = _is_core(str(facts.get("version") or ""))
        self._history = History(is_core=self._is_core)
        self._numbered = 0
        self.is_over = False
        self._is_known = False  # which run it is: else readers would take it for another
        self._says_something = False
        self._is_final = False

    def take(self, number: int, message: bytes, frame: Frame, *, is_local: bool) -> None:
        """One record."""
        self._says_something |= number not in _SAYS_NOTHING
        match number:
            case 100:
                self._request(message, frame.time_ns)
                return
            case 12:
                self._history.define(message)
            case 3:
                self._history.summarise(message)
            case 6:
                self._files.listed(message)
            case 17:
                self._history.is_shared = _is_shared(message)
                self._is_known = True
            case 18:
                self._exit(message, frame.time_ns)
                return
            case _:
                pass
        if not is_local:
            self._numbered += 1
            self._log.record(integer(1, self._numbered) + frame.payload)

    def flush(self) -> None:
        """See `WandbReplica.flush`."""
        if self._is_known:
            self._files.bring(is_over=self._is_final)
            self._log.flush()

    def end(self) -> None:
        """See `WandbReplica.end`. Of a run that began before the session there may be a rest."""
        self._is_final = True
        self._is_known |= self._says_something
        self.flush()

    def put(self, record: Record) -> None:
        """A record that is not the client's."""
        self._numbered += 1
        number, message = record
        self._log.record(integer(1, self._numbered) + field(number, message))

    def _request(self, message: bytes, time_ns: int) -> None:
        """What wandb-core makes of a request; requests themselves are not kept."""
        for number, content in values(message):
            if not isinstance(content, bytes):
                continue
            match number:
                case 10:  # partial_history
                    self._says_something = True
                    for record in self._history.take(content, time_ns):
                        self.put(record)
                        if record[0] == HISTORY:
                            self._files.whole()
                    self._files.valued()
                    if self._history.is_between_rows:  # these values ended their own row
                        self._files.whole()
                case 11:  # run_start
                    self._history.begin(time_ns, *_start(content))
                case 13:  # log_artifact
                    for inner, artifact in values(content):
                        if inner == 1 and isinstance(artifact, bytes):
                            self.put((8, artifact))
                case 24 if self._is_core:  # python_packages
                    self.put((6, _REQUIREMENTS))
                case 64:  # shutdown
                    self._is_final = True
                case _:
                    pass

    def _exit(self, message: bytes, time_ns: int) -> None:
        """Its end, once: a service that ends says so of runs, too, that have ended before."""
        if self.is_over:
            return
        for record in self._history.end(time_ns):
            self.put(record)
        self._files.whole()
        seconds = int(self._history.seconds(time_ns))
        self.put((18, message + (integer(2, seconds) if seconds else b"")))
        self.is_over = True


def _record(payload: bytes) -> tuple[int, bytes, bool]:
    """Number and message of a record's type, and whether it is not to be kept; zero for none."""
    found, message, is_local = 0, b"", False
    for number, content in values(payload):
        if number == _CONTROL and isinstance(content, bytes):
            is_local = bool(dict(values(content)).get(2))
        elif number in _TYPES and isinstance(content, bytes):
            found, message = number, content
    return found, message, is_local


def _start(message: bytes) -> tuple[int, int]:
    """Starting step and runtime that a `RunStartRequest` states."""
    run = dict(values(message)).get(1)
    known = dict(values(run)) if isinstance(run, bytes) else {}
    step, runtime = known.get(14, 0), known.get(20, 0)
    return (step if isinstance(step, int) else 0), (runtime if isinstance(runtime, int) else 0)


def _is_shared(message: bytes) -> bool:
    """Whether the telemetry of a `RunRecord` has the feature `shared_mode`."""
    at: int | bytes = message
    for number in (19, *_SHARED_MODE):
        at = dict(values(at)).get(number, b"") if isinstance(at, bytes) else b""
    return bool(at)


def _is_core(version: str) -> bool:
    """Whether a version of W&B has wandb-core by default: from 0.18 on."""
    parts = re.match(r"(\d+)\.(\d+)", version)
    return parts is None or (int(parts[1]), int(parts[2])) >= (0, 18)


def _file_name(run_id: str) -> str:
    is_plain = re.fullmatch(r"[\w.-]{1,128}", run_id, re.ASCII)
    return f"run-{run_id if is_plain else 'unnamed'}.wandb"
