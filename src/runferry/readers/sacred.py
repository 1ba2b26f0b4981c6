"""sacred's FileStorageObserver: `N/{run,config,info,metrics}.json`, `cout.txt` and the run's files.

The layout is that of sacred/observers/file_storage.py (0.7 to 0.8); its times are UTC. Sources and
resources lie in `_sources/` and `_resources/` beside the runs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from runferry import chunks
from runferry.dialects.run_folder import file_beside
from runferry.dialects.times import time_ns_of
from runferry.losses import Fate, Loss
from runferry.model import (
    Attribute,
    Blob,
    Cursor,
    FileRole,
    Kind,
    Role,
    Run,
    RunKey,
    RunState,
    Tree,
)
from runferry.paths import blob_at, inside, regular, spelled
from runferry.readers.finding import key_of, signature_of
from runferry.readers.local_runs import LocalRun
from runferry.readers.missing import MissingBytes
from runferry.readers.run_folders.console import console
from runferry.readers.run_folders.documents import attributes, json_mapping, lost
from runferry.readers.run_folders.folder_reader import FolderReader
from runferry.readers.run_folders.logged_rows import LoggedRows
from runferry.readers.run_folders.position import Position
from runferry.readers.run_folders.run_files import run_files
from runferry.readers.run_folders.sacred_metrics import METRICS, Metrics
from runferry.readers.run_folders.sacred_values import Decoded, decoded

RUN, CONFIG, INFO, OUTPUT = "run.json", "config.json", "info.json", "cout.txt"
_STATES: dict[str, RunState] = {
    "COMPLETED": "finished",
    "FAILED": "failed",
    "INTERRUPTED": "killed",
    "RUNNING": "running",
    "TIMEOUT": "killed",
    "DIED": "failed",
}
_OVER = {"COMPLETED", "FAILED", "INTERRUPTED", "TIMEOUT", "DIED"}
_TELLING = {"experiment", "command", "heartbeat"}  # what the observer says in `run.json`
_READ = {RUN, CONFIG, INFO, METRICS}
_ROLES: dict[str, Role] = {"result": "summary", "host": "environment"}
_SHARED: tuple[tuple[str, FileRole], ...] = (("sources", "source"), ("resources", "other"))


class SacredReader(FolderReader):
    """Runs that sacred's FileStorageObserver kept."""

    name: ClassVar[str] = "sacred"
    gives: ClassVar[frozenset[Kind]] = frozenset({
        "scalar", "text", "config", "summary", "environment", "other", "console", "file"
    })  # fmt: skip
    what: ClassVar[str] = f"{RUN} and {CONFIG} of sacred"

    @classmethod
    def is_run(cls, folder: Path, names: Collection[str]) -> bool:
        """Whether the observer wrote here; `run.json` may have been left out by somebody."""
        if CONFIG not in names or regular(folder / CONFIG) is None:
            return False
        if RUN not in names:
            return METRICS in names and OUTPUT in names
        damage: list[Loss] = []
        record = _record(folder, damage)
        if damage and METRICS in names:
            return True  # reading it says what is wrong
        return not _TELLING.isdisjoint(record) or OUTPUT in names

    @classmethod
    def is_closed_run(cls, names: Collection[str]) -> bool:
        """By what the observer always writes."""
        return RUN in names and CONFIG in names

    @classmethod
    def passed_over(cls, names: Collection[str], *, is_run: bool) -> Collection[str]:
        """What beside the runs is shared by them."""
        return ("_sources", "_resources")

    def runs_in(self, folder: Path, name: str) -> Iterator[LocalRun]:
        """The one run of a folder; its path ends with the id that sacred gave it."""
        record = _record(folder, [])
        experiment = _mapping(record.get("experiment"))
        first: list[Tree] = [experiment.get("name"), record.get("start_time")]
        if not record:
            first = [*sorted(json_mapping(folder, CONFIG, []))]
        yield SacredRun(key_of(self.name, name, signature_of(first)), folder, name)


def _record(folder: Path, losses: list[Loss]) -> dict[str, Tree]:
    """What `run.json` says; of a damaged one nothing. Raises OSError for one that does not open."""
    if isinstance(path := file_beside(folder, RUN), Path):
        path.open("rb").close()
    return json_mapping(folder, RUN, losses)


def _mapping(value: Tree) -> dict[str, Tree]:
    return value if isinstance(value, dict) else {}


def _text(value: Tree) -> str | None:
    return value if isinstance(value, str) else None


@dataclass(frozen=True, slots=True)
class SacredRun:
    """The folder of a run."""

    key: RunKey
    home: Path
    name: str

    @property
    def sources(self) -> tuple[Path, ...]:
        """The record and the metrics."""
        return (self.home / RUN, self.home / METRICS)

    def header(self) -> Run:
        """What `run.json` says."""
        return self._header(json_mapping(self.home, RUN, []))

    def _header(self, record: dict[str, Tree]) -> Run:
        status = _text(record.get("status"))
        options = _mapping(_mapping(record.get("meta")).get("options"))
        return Run(
            self.key,
            name=spelled(self.home.resolve().name),
            project=_text(_mapping(record.get("experiment")).get("name")),
            job_type=_text(record.get("command")),
            notes=_text(_mapping(record.get("meta")).get("comment"))
            or _text(options.get("--comment")),
            host=_text(_mapping(record.get("host")).get("hostname")),
            started_ns=time_ns_of(_text(record.get("start_time"))),
            ended_ns=time_ns_of(_text(record.get("stop_time"))),
            status=status,
            state=_STATES.get(status or "", "unknown"),
            complete=status in _OVER,
            client="sacred",
        )

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[chunks.Chunk]:
        """See `runferry.ports.Reader`."""
        reader = SacredReader.name
        position = Position.of(reader, after.position) if after else Position(reader)
        losses, met, logged = list[Loss](), Decoded(), Decoded()
        record = json_mapping(self.home, RUN, losses)
        header = self._header(record)
        yield chunks.Attributes(tuple(self._attributes(record, losses, met)), is_whole=True)
        metrics = file_beside(self.home, METRICS)
        if isinstance(metrics, Path):
            rows = LoggedRows(after.series if after else ())
            values = Metrics(metrics, position.rewritten, rows, logged, losses)
            yield from values.read()
            yield from rows.drain()
        elif isinstance(metrics, Loss):
            losses.append(metrics)
        yield from console(self.home, OUTPUT, position, is_over=header.complete)
        yield from position.news(lost([*losses, *_noted(met, "")]))
        yield from lost(_noted(logged, METRICS))
        yield from position.news(
            run_files(self.home, position.files, lambda name: name not in _READ)
        )
        missing = MissingBytes()
        yield from missing.watched(self._shared(record, position))
        yield from lost(missing.losses())
        yield from position.ending(header)

    def _attributes(
        self, record: dict[str, Tree], losses: list[Loss], met: Decoded
    ) -> Iterator[Attribute]:
        """Config, the result as summary, the host as environment, and all else as `other`."""
        config = json_mapping(self.home, CONFIG, losses)
        yield from attributes(decoded(config, met), "config")
        for name, value in record.items():
            yield from attributes({name: decoded(value, met)}, _ROLES.get(name, "other"))
        info = decoded(json_mapping(self.home, INFO, losses), met)
        if info:
            yield from attributes({"info": info}, "other")

    def _shared(self, record: dict[str, Tree], position: Position) -> Iterator[chunks.Chunk]:
        """Sources and resources, which runs of an experiment share: [name, where it was kept]."""
        sources = _mapping(record.get("experiment")).get("sources")
        for place, pairs in (("sources", sources), ("resources", record.get("resources"))):
            role = dict(_SHARED)[place]
            for pair in pairs if isinstance(pairs, list) else ():
                match pair:
                    case [str(name), str(kept)]:
                        yield from self._kept(f"{place}/{name.lstrip('/')}", kept, role, position)

    def _kept(
        self, name: str, kept: str, role: FileRole, position: Position
    ) -> Iterator[chunks.Chunk]:
        """A file that lies beside the runs; what lies elsewhere is only named."""
        path = self._beside_runs(kept)
        found = None if path is None else regular(path)
        stamp: Tree = [found.st_size, found.st_mtime_ns] if found is not None else False
        if position.files.get(name) == stamp:
            return
        position.files[name] = stamp
        yield chunks.File(name, role, Blob() if path is None else blob_at(path))

    def _beside_runs(self, kept: str) -> Path | None:
        """`kept` is relative to the runs' folder, or to where the program ran and ends with it."""
        around = self.home.resolve().parent
        parts = Path(kept).parts
        for begin in range(len(parts)):
            if parts[begin] in ("_sources", "_resources"):
                path = inside(around, "/".join(parts[begin:]))
                is_ours = path is not None and path.resolve().is_relative_to(around)
                return path if is_ours else None  # a link may lead anywhere
        return None


def _noted(met: Decoded, where: str) -> Iterator[Loss]:
    if met.numpy:
        why = "numpy's scalars and arrays became plain numbers and lists"
        yield Loss("numpy-value", Fate.KEPT, where, met.numpy, why)
    if met.objects:
        why = "objects of Python are kept as the trees that jsonpickle made of them"
        yield Loss("python-object", Fate.KEPT, where, met.objects, why)
