"""What the tests of readers of tables share."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from runferry import chunks, tables
from runferry.losses import Loss
from runferry.model import Cursor, KeyPath, Role, Run, Series, Tree
from runferry.ports import Location, Reader, ReadOptions, TableColumns
from runferry.tables import POINTS, TEXTS

Rows = Sequence[dict[str, Any]]
NS = 1_700_000_000_123_456_789
"""A time to the nanosecond."""


@dataclass
class Held:
    """What a run holds, as plain values."""

    run: Run
    points: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    texts: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    series: dict[str, Series] = field(default_factory=dict)
    attributes: dict[tuple[Role, KeyPath], Tree] = field(default_factory=dict)
    losses: list[Loss] = field(default_factory=list)
    raws: list[chunks.Raw] = field(default_factory=list)
    position: Tree = None

    def values(self, key: str) -> list[Any]:
        return [row["value"] for row in self.points.get(key, [])]

    def steps(self, key: str) -> list[Any]:
        return [row["step"] for row in (self.points.get(key) or self.texts.get(key, []))]

    def codes(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for loss in self.losses:
            found[loss.code] = found.get(loss.code, 0) + loss.count
        return found

    def cursor(self) -> Cursor:
        return Cursor(self.position, tuple(self.series.values()))

    def cells(self) -> dict[tuple[int, str], Any]:
        """By source row and key: int, float, bool, text."""
        found: dict[tuple[int, str], Any] = {}
        for key, rows in self.points.items():
            for row in rows:
                exact = row["value"] if row["value_i64"] is None else row["value_i64"]
                as_kind = {"int": int, "bool": bool}.get(row["kind"], float)
                found[row["seq"], key] = as_kind(exact)
        for key, rows in self.texts.items():
            for row in rows:
                assert (row["seq"], key) not in found
                found[row["seq"], key] = row["text"]
        return found


def held(reader: Reader, run: Run, after: Cursor | None = None) -> Held:
    found = Held(run)
    for chunk in reader.read(run, after):
        match chunk:
            case chunks.Header(header):
                found.run = header
            case chunks.Points(batch):
                for row in tables.conform(batch, POINTS).to_pylist():
                    found.points.setdefault(row["key"], []).append(row)
            case chunks.Texts(batch):
                for row in tables.conform(batch, TEXTS).to_pylist():
                    found.texts.setdefault(row["key"], []).append(row)
            case chunks.SeriesFacts(items):
                found.series.update((item.key, item) for item in items)
            case chunks.Attributes(items):
                found.attributes = {(item.role, item.path): item.value for item in items}
            case chunks.Lost(loss):
                found.losses.append(loss)
            case chunks.Raw():
                found.raws.append(chunk)
            case chunks.Checkpoint(position):
                found.position = position
    return found


def opened(reader: type[Reader], path: Path, options: ReadOptions | None = None) -> Reader:
    return reader.open(Location(reader.name, str(path)), options or ReadOptions())


def all_held(reader: type[Reader], path: Path, options: ReadOptions | None = None) -> list[Held]:
    source = opened(reader, path, options)
    return [held(source, run) for run in source.runs()]


def one_held(reader: type[Reader], path: Path, options: ReadOptions | None = None) -> Held:
    (found,) = all_held(reader, path, options)
    return found


def csv_file(path: Path, rows: Sequence[Sequence[object]], **form: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, **form).writerows(rows)
    return path


def numbers_of(path: Path, skipped: int = 0) -> Iterator[Mapping[str, float]]:
    """Rows of a CSV by plain Python: what a cell holds, blanks left out."""
    with path.open(newline="", encoding="utf-8") as stream:
        for _ in range(skipped):
            next(stream)
        for row in csv.DictReader(stream):
            yield {name: float(cell) for name, cell in row.items() if cell.strip()}


def same(left: object, right: object) -> bool:
    """Equality by type, in which NaN equals NaN and −0.0 is not 0.0."""
    if isinstance(left, float) and isinstance(right, float):
        if math.isnan(left) or math.isnan(right):
            return math.isnan(left) and math.isnan(right)
        return left == right and math.copysign(1, left) == math.copysign(1, right)
    return type(left) is type(right) and left == right


def write_csv(path: Path, rows: Rows) -> Path:
    names = list(dict.fromkeys(name for row in rows for name in row))
    return csv_file(path, [names, *([row.get(name, "") for name in names] for row in rows)])


def write_jsonl(path: Path, rows: Rows, mode: str = "w") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open(mode, encoding="utf-8") as stream:
        stream.writelines(json.dumps(row) + "\n" for row in rows)
    return path


def write_parquet(path: Path, rows: Rows, group_rows: int = 50_000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: [row.get(name) for row in rows] for name in names}
    pq.write_table(pa.table(columns), path, row_group_size=group_rows)
    return path


def curve(rows: int) -> list[dict[str, Any]]:
    return [{"step": n, "loss": 1 / (n + 1), "note": f"n{n}"} for n in range(rows)]


def named(**columns: str) -> ReadOptions:
    return ReadOptions(columns=TableColumns(**columns))


def time_ns(row: dict[str, Any]) -> int | None:
    """When a row of points was logged, of the two columns that say it."""
    if row["time"] is None:
        return None
    since = row["time"] - datetime(1970, 1, 1, tzinfo=UTC)
    return since // timedelta(microseconds=1) * 1000 + (row["time_ns"] or 0)
