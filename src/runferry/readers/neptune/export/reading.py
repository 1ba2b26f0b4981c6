"""An exported run: its header, what is no series, and its series.

An export is written once. So a cursor says which parts were read, and a run whose parts are others
is read anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from runferry import chunks
from runferry.dialects.neptune.header import header_of
from runferry.dialects.neptune.names import key_of
from runferry.errors import Damaged, SourceChanged
from runferry.losses import Fate, Loss
from runferry.model import Attribute, Cursor, Run, RunKey, Tree
from runferry.paths import fingerprint, spelled
from runferry.ports import BATCH_ROWS
from runferry.readers.missing import MissingBytes
from runferry.readers.neptune.export.atoms import Others, sys_values
from runferry.readers.neptune.export.batches import Rows
from runferry.readers.neptune.export.files import ExportFiles
from runferry.readers.neptune.export.parts import Parts, parts_below, whole_part
from runferry.readers.neptune.export.series import ExportSeries
from runferry.readers.neptune.export.survey import Survey
from runferry.tables import UNDECODED, decoded

if TYPE_CHECKING:
    import pyarrow.parquet as pq

_CLIENT: Final = "neptune-exporter"
_MAYBE: Final = (
    "neptune-exporter gives a run its files also when a part of it failed: compare counts"
)
_LOCAL: Final = (
    "times of series are those of the clock where the export was made; --timezone names its place"
)


@dataclass(frozen=True, slots=True)
class ExportedRun:
    """A run, model or model version of an export."""

    key: RunKey
    parts: Parts
    zone: tzinfo

    @property
    def sources(self) -> tuple[Path, ...]:
        """Its parts."""
        return self.parts.paths

    @property
    def _rows(self) -> Rows:
        return Rows(self.parts.paths, self.key.run_id, self.parts.is_shared)

    def header(self) -> Run:
        """From the values below `sys`."""
        return self._header(sys_values(self._rows))

    def _header(self, sys: dict[str, Tree]) -> Run:
        return header_of(self.key, self.parts.container, sys, _CLIENT)

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[chunks.Chunk]:
        """See `runferry.ports.Reader`."""
        position = self._position()
        if after is not None:
            if after.position != position:
                raise SourceChanged(
                    "the parts of this run are not those that were read before",
                    where=spelled(str(self.parts.folder)),
                    hint="pull the run into a new archive",
                )
            yield chunks.Header(self.header())
            yield chunks.Checkpoint(position)
            return
        missing = MissingBytes()
        yield from missing.watched(self._content())
        yield from map(chunks.Lost, missing.losses())
        yield chunks.Header(self.header())
        yield chunks.Checkpoint(position)

    def _content(self) -> Iterator[chunks.Chunk]:
        rows, files = self._rows, ExportFiles.beside(self.parts.folder)
        sys = sys_values(rows)
        yield chunks.Header(self._header(sys))
        others = Others(rows, files)
        yield from others.read()
        # client 2 hands out local times, which the exporter writes down as if they were UTC
        is_local = sys.get("id") == self.key.run_id
        series = ExportSeries(rows, Survey.of(rows), files, self.zone if is_local else None)
        yield from series.read()
        facts: tuple[Attribute, ...] = tuple(series.facts())
        yield chunks.Attributes((*others.attributes(), *facts), is_whole=True)
        for loss in (*self.parts.losses, *others.losses, *series.losses, *rows.losses()):
            yield chunks.Lost(loss)
        yield chunks.Lost(Loss("maybe-incomplete", Fate.KEPT, "", 1, _MAYBE))
        if is_local and series.survey.series:
            yield chunks.Lost(Loss("local-times", Fate.KEPT, "", 1, _LOCAL))

    def _position(self) -> Tree:
        """The size of each part, and a hash of its ends."""
        signed: dict[str, Tree] = {}
        for path in self.parts.paths:
            size = path.stat().st_size
            signed[spelled(path.name)] = [size, fingerprint(path, size)]
        return {"reader": "neptune export", "parts": signed}


@dataclass(frozen=True, slots=True)
class UnreadableRun:
    """A run of which no part can be read: it is listed, and reading it says why."""

    key: RunKey
    parts: Parts

    @property
    def sources(self) -> tuple[Path, ...]:
        """None that could be read."""
        return self.parts.paths

    def header(self) -> Run:
        """Its id is not known, only how the exporter spelled it."""
        return header_of(self.key, self.parts.container, {}, _CLIENT)

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[chunks.Chunk]:
        """Raises Damaged."""
        raise Damaged(
            "no part of this run is a whole Parquet file",
            where=spelled(str(self.parts.folder / self.parts.name)),
            hint="export the run again into a new folder",
            offset=None,
        )


def exported(root: Path, zone: tzinfo) -> Iterator[ExportedRun | UnreadableRun]:
    """The runs, models and model versions of all exports at or below a place."""
    for parts in parts_below(root):
        keys = list(_keys(parts))
        if not keys:
            yield UnreadableRun(key_of(spelled(parts.folder.name), parts.name), parts)
        for key in keys:
            yield ExportedRun(key, parts, zone)


def _keys(parts: Parts) -> Iterator[RunKey]:
    """The first run of parts of its own; all of parts that runs share."""
    found: dict[RunKey, None] = {}
    for path in parts.paths:
        if found and not parts.is_shared:
            break
        file = whole_part(path)
        if file is not None:
            with file, _damage_is_for_later():
                for key in _keys_in(file, is_shared=parts.is_shared):
                    found[key] = None
    yield from found


@contextmanager
def _damage_is_for_later() -> Iterator[None]:
    """Pages that cannot be decoded are told when the run is read. Raises what the system says."""
    try:
        yield
    except UNDECODED as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise


def _keys_in(file: pq.ParquetFile, *, is_shared: bool) -> Iterator[RunKey]:
    columns = ["project_id", "run_id"]
    for batch in decoded(file, batch_size=BATCH_ROWS if is_shared else 1, columns=columns):
        pairs = pa.Table.from_batches([batch]).group_by(columns, use_threads=False).aggregate([])
        for pair in pairs.to_pylist():
            if isinstance(pair["run_id"], str):
                yield key_of(pair["project_id"] or "", pair["run_id"])
        if not is_shared:
            return
