"""Runs to archive: random rows of every kind, cut in any way."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from runferry.archive.store import Archive, RunRecord
from runferry.chunks import Chunk, Points
from runferry.model import Run, RunKey
from runferry.python_apart import command_apart, environment_apart
from runferry.tables import POINTS

EXACT = 2**53


@dataclass(frozen=True)
class Row:
    """One scalar; `bits` are those of the float64."""

    key: str
    seq: int
    step: int | None = None
    frac: int | None = None
    time: int | None = None
    ns: int | None = None
    bits: int | None = 0
    exact: int | None = None
    kind: str = "float64"


def bits_of(value: float) -> int:
    return int.from_bytes(struct.pack("<d", value), "little")


def batch_of(rows: Sequence[Row]) -> pa.RecordBatch:
    """The rows as a batch of POINTS, NaN payloads and all."""
    if not rows:
        return pa.RecordBatch.from_pylist([], schema=POINTS)
    values = b"".join(struct.pack("<Q", row.bits or 0) for row in rows)
    valid = pa.array([row.bits is not None for row in rows])
    value = pa.Array.from_buffers(
        pa.float64(), len(rows), [valid.buffers()[1], pa.py_buffer(values)]
    )
    kinds = pa.array([row.kind for row in rows]).dictionary_encode()
    columns = {
        "key": pa.array([row.key for row in rows], pa.string()).dictionary_encode(),
        "step": pa.array([row.step for row in rows], pa.int64()),
        "step_frac": pa.array([row.frac for row in rows], pa.int32()),
        "time": pa.array([row.time for row in rows], pa.timestamp("us", "UTC")),
        "time_ns": pa.array([row.ns for row in rows], pa.int16()),
        "value": value,
        "value_i64": pa.array([row.exact for row in rows], pa.int64()),
        "kind": kinds.cast(POINTS.field("kind").type),
        "seq": pa.array([row.seq for row in rows], pa.int64()),
    }
    return pa.RecordBatch.from_arrays([columns[name] for name in POINTS.names], schema=POINTS)


def rows_of(batches: Iterable[pa.RecordBatch]) -> list[Row]:
    """The inverse of `batch_of`."""
    rows = []
    for batch in batches:
        value = batch.column("value")
        raw = value.buffers()[1]
        floats = pa.Array.from_buffers(
            pa.uint64(), len(value), [None, raw], offset=value.offset
        ).to_pylist()
        present = value.is_valid().to_pylist()
        time = batch.column("time").cast(pa.int64()).to_pylist()
        names = ("key", "seq", "step", "step_frac", "time_ns", "value_i64", "kind")
        plain = [batch.column(name).to_pylist() for name in names]
        for at, (key, seq, step, frac, ns, exact, kind) in enumerate(zip(*plain, strict=True)):
            bits = floats[at] if present[at] else None
            rows.append(Row(key, seq, step, frac, time[at], ns, bits, exact, kind))
    return rows


def run_named(name: str) -> Run:
    return Run(RunKey("wandb", "project", name), name=name)


def archived(
    archive: Archive, run: Run, chunks: Iterable[Chunk], after: RunRecord | None = None
) -> RunRecord:
    with archive.draft(run, after=after) as draft:
        for chunk in chunks:
            draft.put(chunk)
        return draft.commit()


def points_in(archive: Archive, record: RunRecord, order: str = "any") -> list[Row]:
    found = archive.chunks(record, order=order)
    return rows_of(chunk.batch for chunk in found if isinstance(chunk, Points))


def content(archive: Archive, record: RunRecord) -> list[Row]:
    """All scalars by key and seq, in an order that no cutting changes."""
    return sorted(points_in(archive, record), key=lambda row: (row.key, row.seq))


def counted_rows(count: int, start: int = 0) -> list[Row]:
    """Rows of seven keys in turn; the step is the source's row."""
    return [Row(f"k{n % 7}", n, n) for n in range(start, start + count)]


def python(code: str, *arguments: object) -> subprocess.Popen[str]:
    """Another process, whose output is read here."""
    return subprocess.Popen(
        command_apart(code, *map(str, arguments)),
        env=environment_apart(),
        stdout=subprocess.PIPE,
        text=True,
    )
