"""Gathers what a reader yields for one run, and pulls it into an archive."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from runferry import chunks, tables
from runferry.archive.store import Archive
from runferry.losses import Loss
from runferry.model import Cursor, MediaItem, Role, Run, Series, Stream, Tree
from runferry.ports import BATCH_ROWS, Location, ReadOptions, RunReader
from runferry.transfer.pull import pull


@dataclass
class Gathered:
    """Everything that was yielded for one run."""

    run: Run
    headers: list[Run] = field(default_factory=list)
    attributes: dict[tuple[Role, tuple[str, ...]], Tree] = field(default_factory=dict)
    series: dict[str, Series] = field(default_factory=dict)
    batches: dict[str, list[pa.RecordBatch]] = field(default_factory=dict)
    media: list[MediaItem] = field(default_factory=list)
    files: dict[str, chunks.File] = field(default_factory=dict)
    artifacts: list[chunks.Artifact] = field(default_factory=list)
    documents: list[chunks.Document] = field(default_factory=list)
    raws: list[chunks.Raw] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    position: Tree = None
    count: int = 0

    def take(self, chunk: chunks.Chunk) -> None:
        self.count += 1
        match chunk:
            case chunks.Header(run):
                self.headers.append(run)
            case chunks.Attributes(items):
                self.attributes.update({(item.role, item.path): item.value for item in items})
            case chunks.SeriesFacts(items):
                self.series.update({item.key: item for item in items})
            case chunks.Points(batch):
                self._rows("points", batch, tables.POINTS)
            case chunks.Texts(batch):
                self._rows("texts", batch, tables.TEXTS)
            case chunks.Histograms(batch):
                self._rows("histograms", batch, tables.HISTOGRAMS)
            case chunks.Console(batch):
                self._rows("console", batch, tables.CONSOLE)
            case chunks.Media(items):
                assert {item.key for item in items} <= set(self.series)
                self.media.extend(items)
            case chunks.File(path):
                self.files[path] = chunk
            case chunks.Artifact():
                self.artifacts.append(chunk)
            case chunks.Document():
                self.documents.append(chunk)
            case chunks.Raw():
                self.raws.append(chunk)
            case chunks.Lost(loss):
                self.losses.append(loss)
            case chunks.Checkpoint(position):
                self.position = position

    def _rows(self, name: str, batch: pa.RecordBatch, schema: pa.Schema) -> None:
        assert batch.schema.equals(schema), f"{name}: {batch.schema}"
        assert batch.num_rows <= BATCH_ROWS
        batch.validate(full=True)
        if name != "console":
            keys = set(batch.column("key").unique().to_pylist())
            assert keys <= set(self.series), "a row before its series was declared"
        self.batches.setdefault(name, []).append(batch)

    @property
    def header(self) -> Run:
        return self.headers[-1]

    def rows(self, table: str) -> list[dict[str, Any]]:
        return [row for batch in self.batches.get(table, []) for row in batch.to_pylist()]

    def points(self, key: str, stream: Stream = "user") -> list[dict[str, Any]]:
        assert key not in self.series or self.series[key].stream == stream
        return [row for row in self.rows("points") if row["key"] == key]

    def values(self, key: str) -> list[Any]:
        return [row["value"] for row in self.rows("points") if row["key"] == key]

    def role(self, role: Role) -> dict[tuple[str, ...], Tree]:
        return {path: value for (r, path), value in self.attributes.items() if r == role}

    def codes(self) -> set[str]:
        return {loss.code for loss in self.losses}

    def cursor(self, before: Cursor | None = None) -> Cursor:
        known = {series.key: series for series in (before.series if before else ())}
        return Cursor(self.position, tuple({**known, **self.series}.values()))


def gather(reader: RunReader, run: Run, after: Cursor | None = None) -> Gathered:
    gathered = Gathered(run)
    if after is not None:
        gathered.series.update({series.key: series for series in after.series})
    for chunk in reader.read(run, after):
        gathered.take(chunk)
    return gathered


def pulled(
    source: Path, archive: Path, tracker: str = "wandb", options: ReadOptions | None = None
) -> Archive:
    """The archive, with what one more pull brings."""
    opened_archive = Archive.open(archive, create=not archive.exists())
    place = Location(tracker, str(source))
    report = pull(place, opened_archive, options=options, reserve_bytes=0)
    assert not report.failures, report.failures
    return opened_archive


def corpus() -> Path | None:
    stated = os.environ.get("RUNFERRY_CORPUS")
    path = Path(stated) if stated else Path(__file__).parents[3] / "shared" / "corpus"
    return path if (path / "EXPECTED.jsonl").is_file() else None
