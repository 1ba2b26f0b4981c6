"""DVCLive's folders: `metrics.json`, `params.yaml`, `plots/metrics/**.tsv` and what lies beside.

Each metric is a table of its own with `step` and, where DVCLive was asked for it or is older than
3.0, `timestamp` in milliseconds (src/dvclive/plots/metric.py). The folders that lead to it are its
path. Older clients write `scalars/*.tsv`.
"""

from __future__ import annotations

import mimetypes
import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import ClassVar

from runferry import chunks
from runferry.dialects.run_folder import Beside, file_beside, read_yaml
from runferry.losses import Fate, Loss
from runferry.model import Address, Attribute, Cursor, KeyPath, Kind, MediaItem, Run, RunKey, Tree
from runferry.paths import blob_at, files_below, looked_into, regular, spelled
from runferry.readers.finding import key_of, signature_of
from runferry.readers.local_runs import LocalRun
from runferry.readers.run_folders.documents import attributes, json_mapping, lost
from runferry.readers.run_folders.folder_reader import FolderReader
from runferry.readers.run_folders.logged_rows import LoggedRows, address, step_of
from runferry.readers.run_folders.position import Grown, Position
from runferry.readers.run_folders.run_files import run_files
from runferry.readers.run_folders.table_lines import TableLines, cell_of

_METRICS = ("plots/metrics", "scalars")
_IMAGES = "plots/images/"
_PLOTS = (_IMAGES, "plots/sklearn", "plots/custom")
# a longer number is no step: as with those of metrics, `seq` could not hold it
_STEP_IMAGE = re.compile(r"(.+)/(-?\d{1,15})\.(png|jpe?g|gif|webp|bmp|svg|tiff?)", re.I)
_PLACES = 10  # bits below the step in `seq`: so many values may be logged in one step
_LOOKED_AT = 100  # tables that tell whether they are metrics
_OURS = frozenset({"metrics.json", "params.yaml"})
_MILLISECOND = 1_000_000


class DvcliveReader(FolderReader):
    """Runs that DVCLive logged, each a folder."""

    name: ClassVar[str] = "dvclive"
    gives: ClassVar[frozenset[Kind]] = frozenset({
        "scalar", "text", "image", "file", "other", "config", "summary", "raw",
    })  # fmt: skip
    what: ClassVar[str] = "plots/metrics/*.tsv or metrics.json of DVCLive"

    @classmethod
    def is_run(cls, folder: Path, names: Collection[str]) -> bool:
        """Whether there are metrics here, or the folder is called as DVCLive's is."""
        has_plots = "plots" in names and (folder / _METRICS[0]).is_dir()
        if has_plots and (_OURS.issubset(names) or _has_metrics(folder)):
            return True
        if "metrics.json" in names and any((folder / place).is_dir() for place in _PLOTS):
            return True
        if "scalars" in names and any(map(_is_metric, _tables_in(folder / "scalars"))):
            return True
        return folder.name == "dvclive" and not _OURS.isdisjoint(names)

    @classmethod
    def passed_over(cls, names: Collection[str], *, is_run: bool) -> Collection[str]:
        """What is below a run is its own."""
        return ("plots", "scalars", "artifacts") if is_run else ()

    def runs_in(self, folder: Path, name: str) -> Iterator[LocalRun]:
        """The one run of a folder."""
        yield DvcliveRun(key_of(self.name, name, signature_of(_first_row(folder))), folder, name)


def _has_metrics(folder: Path) -> bool:
    tables = (file_beside(folder, metric.file) for metric in _metrics(folder))
    found = (path for path in tables if isinstance(path, Path))
    return any(map(_is_metric, islice(found, _LOOKED_AT)))


def _tables_in(folder: Path) -> Iterator[Path]:
    found = (folder / name for name in looked_into(folder).names if name.endswith(".tsv"))
    return (path for path in found if regular(path) is not None)


def _is_metric(path: Path) -> bool:
    if regular(path) is None:
        return False
    try:
        with path.open("rb") as stream:
            header = stream.readline(1 << 16)
    except PermissionError:
        return True  # by its place; reading it says what is wrong
    return "step" in header.decode("utf-8", "replace").rstrip().split("\t")


@dataclass(frozen=True, slots=True)
class Metric:
    """The table of one metric."""

    home: Path
    file: str  # below the run's folder
    path: KeyPath

    @property
    def is_system(self) -> bool:
        """Whether DVCLive's monitor logged it, and not the user."""
        return len(self.path) > 1 and self.path[0] == "system"


def _below(folder: Path) -> Iterator[tuple[str, os.DirEntry[str] | None]]:
    return files_below(folder) if folder.is_dir() else iter(())


def _metrics(home: Path) -> Iterator[Metric]:
    for place in _METRICS:
        for found, entry in _below(home / place):
            if entry is not None and found.endswith(".tsv"):
                path = tuple(spelled(found).removesuffix(".tsv").split("/"))
                yield Metric(home, f"{place}/{found}", path)


def _first_row(home: Path) -> bytes:
    """The row that was logged first: by time, by step, by name. Later metrics do not change it."""
    least: tuple[float, float, str] | None = None
    for metric in _metrics(home):
        if isinstance(path := file_beside(home, metric.file), Path):
            row = next(TableLines(path, metric.file, "\t", Grown()).rows(), {})
            at = (_least(row.get("timestamp")), _least(row.get("step")), f"{metric.path} {row}")
            least = at if least is None else min(least, at)
    return repr(least).encode("utf-8", "surrogatepass")


def _least(text: str | None) -> float:
    value = cell_of(text) if text is not None else None
    return float(value) if isinstance(value, int) and abs(value) < 2**53 else float("inf")


@dataclass(frozen=True, slots=True)
class DvcliveRun:
    """A folder of DVCLive."""

    key: RunKey
    home: Path
    name: str

    @property
    def sources(self) -> tuple[Path, ...]:
        """The tables of metrics."""
        return tuple(self.home / metric.file for metric in _metrics(self.home))

    def header(self) -> Run:
        """The format states neither times nor an ending."""
        folder = self.home.resolve()
        called = folder.parent.name if folder.name == "dvclive" else folder.name
        return Run(self.key, name=spelled(called), client="dvclive")

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[chunks.Chunk]:
        """See `runferry.ports.Reader`."""
        reader = DvcliveReader.name
        position = Position.of(reader, after.position) if after else Position(reader)
        read: set[str] = set()
        rows = LoggedRows(after.series if after else ())
        for metric in _metrics(self.home):
            path = file_beside(self.home, metric.file)
            if isinstance(path, Path):
                read.add(metric.file)
                done = position.grown.setdefault(spelled(metric.file), Grown())
                table = TableLines(path, spelled(metric.file), "\t", done)
                yield from position.news(_table(rows, metric, table))
        yield from rows.drain()
        yield from position.news(self._stated())
        yield from self._images(rows, position, read)
        yield from position.news(
            run_files(self.home, position.files, lambda name: name not in read)
        )
        yield from position.ending(self.header())

    def _stated(self) -> Iterator[chunks.Chunk]:
        """Parameters and the summary."""
        losses: list[Loss] = []
        summary = json_mapping(self.home, "metrics.json", losses)
        beside = Beside()
        read_yaml(beside, self.home, "params.yaml", "config", "1.2")
        found: list[Attribute] = [*attributes(summary, "summary"), *beside.attributes]
        yield chunks.Attributes(tuple(found), is_whole=True)
        yield from lost([*losses, *beside.losses])

    def _images(
        self, rows: LoggedRows, position: Position, read: set[str]
    ) -> Iterator[chunks.Chunk]:
        """Images that are named by their step; DVCLive writes each of them once."""
        for found, entry in _below(self.home / _IMAGES):
            name = f"{_IMAGES}{spelled(found)}"
            match = _STEP_IMAGE.fullmatch(spelled(found))
            path = file_beside(self.home, _IMAGES + found)
            if match is None or entry is None or not isinstance(path, Path):
                continue  # it is a file, or told among these
            read.add(name)
            if name in position.files:
                continue
            position.files[name] = True
            step = int(match[2])
            key, declared = rows.declare(("images", *match[1].split("/")), "media")
            yield from declared
            at = Address(max(0, step << _PLACES), step)
            blob = blob_at(path, mimetypes.guess_type(name)[0])
            yield chunks.Media((MediaItem(key, at, "image", blob, path=name),))


def _table(rows: LoggedRows, metric: Metric, table: TableLines) -> Iterator[chunks.Chunk]:
    values = [name for name in table.columns() if name not in ("step", "timestamp")]
    path = metric.path[1:] if metric.is_system else metric.path
    paths = {name: path if len(values) == 1 else (*path, name) for name in values}
    for row in table.rows():
        at = _address(row, table)
        found = [(paths[name], cell_of(row[name])) for name in values if name in row]
        yield from rows.add(at, found, "system" if metric.is_system else "user")
        yield from table.news()
    yield from table.news()


def _address(row: dict[str, str], table: TableLines) -> Address:
    """A step is a row of DVCLive's: values of one step share `seq`, those behind it come after."""
    step = step_of(cell_of(row["step"])) if "step" in row else None
    stamp = cell_of(row["timestamp"]) if "timestamp" in row else None
    for name, is_lost in (
        ("step", "step" in row and step is None),
        ("timestamp", stamp is not None and not _is_time(stamp)),
    ):
        if is_lost:
            why = f"this {name} is none: {row[name][:40]}"
            where = f"{table.name}:{table.done.rows}"
            table.tell(Loss(f"bad-{name}", Fate.DROPPED, where, 1, why))
    least = table.done.last_seq + 1
    whole = step[0] if step else 0
    seq = max(least, whole << _PLACES) if abs(whole) < 2**52 else least
    table.done.last_seq = seq
    time_ns = stamp * _MILLISECOND if isinstance(stamp, int) and _is_time(stamp) else None
    return address(seq, step, time_ns)


def _is_time(stamp: Tree) -> bool:
    is_whole = isinstance(stamp, int) and not isinstance(stamp, bool)
    return is_whole and abs(int(str(stamp))) * _MILLISECOND < 2**63
