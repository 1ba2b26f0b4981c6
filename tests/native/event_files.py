"""Writes event files byte by byte, and reads them into plain rows. Needs no vendor's package."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
from wandb_log import blob, double, varint, whole

from runferry._native import EventScanner

TABLES = ("points", "texts", "histograms", "media")

# --- framing --------------------------------------------------------------------------------------


@cache
def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)  # Castagnoli, reflected
        table.append(byte)
    return table


def masked_crc(data: bytes) -> int:
    table, crc = _crc_table(), 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def frame(payload: bytes) -> bytes:
    length = struct.pack("<Q", len(payload))
    crcs = struct.pack("<I", masked_crc(length)), struct.pack("<I", masked_crc(payload))
    return length + crcs[0] + payload + crcs[1]


def spans(raw: bytes) -> list[tuple[int, int]]:
    """Where each record begins and ends, in a file without damage."""
    found, at = [], 0
    while at < len(raw):
        end = at + 16 + struct.unpack_from("<Q", raw, at)[0]
        found.append((at, end))
        at = end
    return found


# --- messages -------------------------------------------------------------------------------------


def folded(number: int, value: int) -> bytes:
    return whole(number, value << 1 ^ value >> 63)


def event(time: float, step: int, *values: bytes, own: bytes = b"") -> bytes:
    summary = blob(5, b"".join(blob(1, value) for value in values)) if values else b""
    return double(1, time) + whole(2, step) + summary + (blob(1517, own) if own else b"")


def simple(tag: str | bytes, value: float) -> bytes:
    return blob(1, tag) + varint(2 << 3 | 5) + struct.pack("<f", value)


def metadata(plugin: str, content: bytes = b"", rest: bytes = b"") -> bytes:
    return blob(9, blob(1, blob(1, plugin) + (blob(2, content) if content else b"")) + rest)


def doubles(tag: str, *values: float, dims: Iterable[int] = (), about: bytes = b"") -> bytes:
    shape = b"".join(blob(2, whole(1, size)) for size in dims)
    packed = b"".join(struct.pack("<d", value) for value in values)
    return blob(1, tag) + blob(8, whole(1, 2) + blob(2, shape) + blob(6, packed)) + about


def strings(tag: str, *texts: bytes | str, dims: Iterable[int] = (), about: bytes = b"") -> bytes:
    shape = b"".join(blob(2, whole(1, size)) for size in dims)
    values = b"".join(blob(8, text) for text in texts)
    return blob(1, tag) + blob(8, whole(1, 7) + blob(2, shape) + values) + about


HEADER = double(1, 1.7e9) + blob(3, "brain.Event:2")


def write(path: Path, *events: bytes) -> Path:
    path.write_bytes(b"".join(frame(one) for one in events))
    return path


# --- reading --------------------------------------------------------------------------------------


@dataclass
class Gathered:
    """All that a scan found; rows are mappings by column, `tag` and `plugin` instead of numbers."""

    rows: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {t: [] for t in TABLES})
    records: list[tuple[str, int, int, int | None, dict[str, Any]]] = field(default_factory=list)
    damage: list[tuple[int, int, str]] = field(default_factory=list)
    series: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    largest: int = 0
    offset: int = 0
    seq: int = 0
    plugins: dict[str, str] = field(default_factory=dict)

    @property
    def points(self) -> list[dict[str, Any]]:
        return self.rows["points"]

    def values(self, tag: str) -> list[float | None]:
        return [row["value"] for row in self.points if row["tag"] == tag]

    def everything(self) -> list[str]:
        """Rows and records without where in the file they stood; NaN is equal to itself."""
        rows = [repr((table, row)) for table in TABLES for row in self.rows[table]]
        return rows + [repr((kind, rest)) for kind, _, *rest in self.records]


def scan(
    path: Path,
    offset: int = 0,
    seq: int = 0,
    rows: int = 65_536,
    plugins: Mapping[str, str] | None = None,
) -> Gathered:
    scanner = EventScanner(path, offset=offset, seq=seq, rows=rows, plugins=plugins)
    found = Gathered()
    while (batch := scanner.next()) is not None:
        found.series += batch.series
        found.records += batch.records
        found.damage += batch.damage
        for table in TABLES:
            if (arrow := getattr(batch, table)) is not None:
                found.largest = max(found.largest, len(arrow))
                found.rows[table] += _named(pa.record_batch(arrow), found.series)
    found.offset, found.seq, found.plugins = scanner.offset, scanner.seq, scanner.plugins
    return found


def _named(batch: pa.RecordBatch, series: list[tuple[str, str, dict[str, Any]]]) -> list[Any]:
    batch.validate(full=True)
    time = batch.column("time").cast(pa.int64()).to_pylist()
    rows = batch.drop_columns(["time"]).to_pylist()
    for row, us in zip(rows, time, strict=True):
        row["tag"], row["plugin"], _ = series[row.pop("series")]
        below = row.pop("time_ns")
        row["time"] = None if us is None else us * 1000 + below
    return rows
