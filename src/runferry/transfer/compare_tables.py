"""How rows of each table look to a comparison: integers and bits where there are any."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from runferry import chunks
from runferry.chunks import Chunk
from runferry.model import Blob, MediaItem
from runferry.tables import to_json

_ABS = 2**63 - 1
_INFINITY = 0x7FF0_0000_0000_0000
_NAN = 0x7FF8_0000_0000_0000
_MINUS_ZERO = -(2**63)
_KINDS = {
    "points": "scalar",
    "texts": "text",
    "histograms": "histogram",
    "console": "console",
    "raw": "raw",
}


@dataclass(frozen=True, slots=True)
class Table:
    """Columns: an address, values by which rows are known, and aspects that may be lost."""

    name: str
    types: Mapping[str, str]
    aspects: Mapping[str, str] = field(default_factory=dict)  # column → code of its loss

    @property
    def values(self) -> list[str]:
        """The columns that say which row this is."""
        return [c for c in self.types if c not in self.aspects]

    @property
    def is_stepped(self) -> bool:
        """Whether its rows may have steps: no console line has one, and no raw record."""
        return self.name not in ("console", "raw")

    @property
    def columns(self) -> list[str]:
        """All of them, in order."""
        return ["sid", "step", "frac", "t", "seq", *self.types]

    @property
    def declared(self) -> str:
        """For CREATE TABLE."""
        address = "sid INTEGER, step BIGINT, frac INTEGER, t BIGINT, seq BIGINT"
        return ", ".join([address, *(f"{name} {kind}" for name, kind in self.types.items())])

    def value_cases(self, row: str, longest: int) -> list[tuple[str, str]]:
        """Codes and SQL conditions on the original's value that tell why it may be lost."""
        if self.name == "points":
            size = f"({row}bits & {_ABS})"
            return [
                ("null-value", f"{row}bits IS NULL"),
                ("infinity", f"{size} = {_INFINITY}"),
                ("nan", f"{size} > {_INFINITY}"),
                ("inexact-int", f"{row}exact IS NOT NULL"),
            ]
        if self.name == "texts":
            return [("long-text", f"length({row}text) > {longest}")]
        return [("missing-blob", f"{row}sha256 IS NULL")] if self.name == "media" else []

    def bits_case(self, row: str) -> str:
        """The SQL condition under which a value is another one where there is one zero, one NaN."""
        if self.name != "points":
            return "false"
        is_odd_nan = f"({row}bits & {_ABS}) > {_INFINITY} AND {row}bits <> {_NAN}"
        return f"({row}bits = {_MINUS_ZERO} OR {is_odd_nan})"

    @property
    def plain(self) -> str:
        """SQL: the first of the values as it is where there is one zero, and one NaN."""
        if self.name != "points":
            return self.values[0]
        is_nan = f"(bits & {_ABS}) > {_INFINITY}"
        return f"CASE WHEN bits = {_MINUS_ZERO} THEN 0 WHEN {is_nan} THEN {_NAN} ELSE bits END"

    @property
    def kind(self) -> str:
        """What the rows are, as an SQL expression: a kind as in Limits.holds."""
        return "media_type" if self.name == "media" else f"'{_KINDS[self.name]}'"


TABLES = (
    Table(
        "points",
        {"bits": "BIGINT", "exact": "BIGINT", "kind": "VARCHAR"},
        {"exact": "inexact-int", "kind": "number-kind"},
    ),
    Table("texts", {"text": "VARCHAR", "form": "VARCHAR"}, {"form": "text-form"}),
    Table(
        "histograms",
        {"edges": "BIGINT[]", "counts": "BIGINT[]", "counts_kind": "VARCHAR", "extra": "VARCHAR"},
        {"counts_kind": "counts-kind", "extra": "histogram-extra"},
    ),
    Table(
        "media",
        {
            "media_type": "VARCHAR",
            "sha256": "VARCHAR",
            "position": "INTEGER",
            "caption": "VARCHAR",
            "metadata": "VARCHAR",
            "path": "VARCHAR",
        },
        {"caption": "media-caption", "metadata": "media-metadata", "path": "media-path"},
    ),
    Table("console", {"line": "VARCHAR", "stream": "VARCHAR"}),
    Table("raw", {"record_type": "VARCHAR", "payload": "BLOB", "reason": "VARCHAR"}),
)
_BY_NAME = {table.name: table for table in TABLES}


def columns_of(chunk: Chunk, numbers: Mapping[str, int]) -> tuple[Table, pa.Table] | None:
    """A chunk's rows in the columns of its table; None for a chunk without rows."""
    match chunk:
        case chunks.Points(batch):
            values = [_bits(batch.column("value")), batch.column("value_i64")]
            return _rows("points", batch, numbers, [*values, _text(batch, "kind")])
        case chunks.Texts(batch):
            return _rows("texts", batch, numbers, [batch.column("text"), _text(batch, "form")])
        case chunks.Histograms(batch):
            lists = [_list_bits(batch.column(name)) for name in ("edges", "counts")]
            rest = [_text(batch, "counts_kind"), batch.column("extra")]
            return _rows("histograms", batch, numbers, [*lists, *rest])
        case chunks.Console(batch):
            nothing = pa.nulls(batch.num_rows, pa.int64())
            address = [pa.array(np.zeros(batch.num_rows, np.int32)), nothing, nothing]
            values = [batch.column("line"), _text(batch, "stream")]
            return _table("console", [*address, _time_ns(batch), batch.column("seq"), *values])
        case chunks.Media(items):
            return _media(items, numbers) if items else None
        case chunks.Raw():
            row = [0, None, None, None, chunk.seq, chunk.record_type, chunk.payload, chunk.reason]
            return _table("raw", [pa.array([cell]) for cell in row])
        case _:
            return None


def _rows(
    name: str, batch: pa.RecordBatch, numbers: Mapping[str, int], values: list[pa.Array]
) -> tuple[Table, pa.Table]:
    keys = batch.column("key")
    series = pa.array([numbers[key] for key in keys.dictionary.to_pylist()], pa.int32())
    address = [
        series.take(keys.indices),
        batch.column("step"),
        batch.column("step_frac"),
        _time_ns(batch),
        batch.column("seq"),
    ]
    return _table(name, [*address, *values])


def _table(name: str, columns: list[pa.Array]) -> tuple[Table, pa.Table]:
    table = _BY_NAME[name]
    return table, pa.table(columns, names=table.columns)


def _time_ns(batch: pa.RecordBatch) -> pa.Array:
    time_us = batch.column("time").cast(pa.int64())
    below = batch.column("time_ns").fill_null(0).cast(pa.int64())
    total = time_us.to_numpy(zero_copy_only=False)
    if time_us.null_count:
        mask = time_us.is_null().to_numpy(zero_copy_only=False)
        total = time_us.fill_null(0).to_numpy(zero_copy_only=False)
        return pa.array(total * 1000 + below.to_numpy(zero_copy_only=False), mask=mask)
    return pa.array(total * 1000 + below.to_numpy(zero_copy_only=False))


def _bits(values: pa.Array) -> pa.Array:
    return values.view(pa.int64())


def _list_bits(lists: pa.ListArray) -> pa.Array:
    """Lists of doubles as lists of their bits; slots of null lists hold nothing."""
    mask = lists.is_null() if lists.null_count else None
    lengths = lists.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
    return pa.ListArray.from_arrays(offsets, _bits(lists.flatten()), mask=mask)


def _text(batch: pa.RecordBatch, name: str) -> pa.Array:
    return batch.column(name).cast(pa.string())


def _media(items: tuple[MediaItem, ...], numbers: Mapping[str, int]) -> tuple[Table, pa.Table]:
    rows = [
        (
            numbers[item.key],
            item.at.step,
            item.at.step_frac,
            item.at.time_ns,
            item.at.seq,
            item.media_type,
            blob_hash(item.blob),
            item.index,
            item.caption,
            json.dumps(to_json(item.metadata), sort_keys=True),
            item.path,
        )
        for item in items
    ]
    return _table("media", [pa.array(column) for column in zip(*rows, strict=True)])


def blob_hash(blob: Blob) -> str | None:
    """SHA-256 of the bytes, read if need be; None when they are gone."""
    if blob.open is None:
        return None
    with blob.open() as stream:
        digest = hashlib.sha256()
        while block := stream.read(1 << 20):
            digest.update(block)
        return digest.hexdigest()
