"""Writes `.wandb` files record by record, and gathers what the reader yields."""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
from wandb.proto import wandb_internal_pb2 as pb

from runferry import chunks, tables
from runferry.archive.store import Archive
from runferry.losses import Loss
from runferry.model import (
    Cursor,
    MediaItem,
    Role,
    Run,
    Series,
    Stream,
    Tree,
)
from runferry.ports import BATCH_ROWS, Location, ReadOptions
from runferry.readers.wandb_files import WandbFilesReader
from runferry.transfer.pull import pull

HEADER = b":W&B\xe1\xbe\x00"
BLOCK = 32_768


def framed(records: Iterable[pb.Record | bytes], origin: int = 0) -> bytes:
    """A whole file; `origin` 7 gives the misaligned blocks of wandb-core before 0.17.6."""
    out = bytearray(HEADER)
    for record in records:
        payload = record if isinstance(record, bytes) else record.SerializeToString()
        is_first = True
        while True:
            left = BLOCK - (len(out) - origin) % BLOCK
            if left < 7:
                out += bytes(left)
                continue
            part, payload = payload[: left - 7], payload[left - 7 :]
            kind = (1 if is_first else 4) if not payload else (2 if is_first else 3)
            crc = zlib.crc32(bytes([kind]) + part)
            out += struct.pack("<IHB", crc, len(part), kind) + part
            is_first = False
            if not payload:
                break
    return bytes(out)


def run_record(run_id: str = "r1", start: int = 1_700_000_000, **fields: Any) -> pb.Record:
    record = pb.Record()
    record.run.run_id = run_id
    record.run.start_time.seconds = start
    for name, value in fields.items():
        if isinstance(value, (list, tuple)):
            getattr(record.run, name).extend(value)
        else:
            setattr(record.run, name, value)
    return record


def config_record(**values: object) -> pb.Record:
    record = pb.Record()
    for name, value in values.items():
        record.config.update.add(key=name, value_json=json.dumps(value))
    return record


def history_record(step: int | None = None, **values: object) -> pb.Record:
    record = pb.Record()
    record.history.SetInParent()
    for name, value in values.items():
        record.history.item.add(nested_key=[name], value_json=json.dumps(value))
    if step is not None:
        record.history.step.num = step
        record.history.item.add(nested_key=["_step"], value_json=str(step))
    return record


def stats_record(seconds: int, **values: float) -> pb.Record:
    record = pb.Record()
    record.stats.timestamp.seconds = seconds
    for name, value in values.items():
        record.stats.item.add(key=name, value_json=json.dumps(value))
    return record


def line_record(line: str, seconds: int = 1_700_000_000) -> pb.Record:
    record = pb.Record()
    record.output_raw.output_type = pb.OutputRawRecord.STDOUT
    record.output_raw.timestamp.seconds = seconds
    record.output_raw.line = line
    return record


def summary_record(**values: object) -> pb.Record:
    record = pb.Record()
    for name, value in values.items():
        record.summary.update.add(nested_key=[name], value_json=json.dumps(value))
    return record


def exit_record(code: int = 0, runtime: int = 0) -> pb.Record:
    record = pb.Record()
    record.exit.exit_code = code
    record.exit.runtime = runtime
    return record


def environment_record(seconds: int, nanos: int = 0, **fields: str) -> pb.Record:
    record = pb.Record()
    record.environment.started_at.seconds = seconds
    record.environment.started_at.nanos = nanos
    for name, value in fields.items():
        setattr(record.environment, name, value)
    return record


def small_run(run_id: str = "r1", steps: int = 5, **fields: Any) -> list[pb.Record]:
    """One record of each common kind."""
    records = [run_record(run_id, project="p", **fields), config_record(lr=0.1, deep={"a": [1]})]
    for step in range(steps):
        records.append(history_record(step, loss=1 / (step + 1), note=f"n{step}"))
        records.append(stats_record(1_700_000_000 + step, cpu=step * 1.5))
        records.append(line_record(f"line {step}\n"))
    return [*records, summary_record(loss=1 / steps), exit_record(0, 7)]


def folder_with(
    root: Path,
    records: Iterable[pb.Record | bytes],
    run_id: str = "r1",
    when: str = "20240102_030405",
) -> Path:
    """A run folder as an offline run leaves it; returns it."""
    folder = root / f"offline-run-{when}-{run_id}"
    (folder / "files").mkdir(parents=True)
    (folder / f"run-{run_id}.wandb").write_bytes(framed(records))
    return folder


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


def gather(reader: WandbFilesReader, run: Run, after: Cursor | None = None) -> Gathered:
    gathered = Gathered(run)
    if after is not None:
        gathered.series.update({series.key: series for series in after.series})
    for chunk in reader.read(run, after):
        gathered.take(chunk)
    return gathered


def opened(path: Path) -> WandbFilesReader:
    return WandbFilesReader.open(Location("wandb", str(path)), ReadOptions())


def gather_all(path: Path) -> list[Gathered]:
    reader = opened(path)
    return [gather(reader, run) for run in reader.runs()]


def gather_one(path: Path, after: Cursor | None = None) -> Gathered:
    reader = opened(path)
    (run,) = reader.runs()
    return gather(reader, run, after)


def pulled(source: Path, archive: Path) -> Archive:
    """The archive, with what one more pull brings."""
    opened_archive = Archive.open(archive, create=not archive.exists())
    report = pull(Location("wandb", str(source)), opened_archive, reserve_bytes=0)
    assert not report.failures, report.failures
    return opened_archive


def corpus() -> Path | None:
    stated = os.environ.get("RUNFERRY_CORPUS")
    path = Path(stated) if stated else Path(__file__).parents[3] / "shared" / "corpus"
    return path if (path / "EXPECTED.jsonl").is_file() else None
