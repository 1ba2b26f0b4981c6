"""Writes `.wandb` files chunk by chunk, and reads them into plain lists. Needs no wandb package."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from runferry._native import WandbScanner

BLOCK = 32 * 1024
HEADER = b":W&B\xe1\xbe\x00"


# --- messages -------------------------------------------------------------------------------------


def varint(value: int) -> bytes:
    value &= 2**64 - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def whole(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(value)


def blob(number: int, value: bytes | str) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(raw)) + raw


def double(number: int, value: float) -> bytes:
    return varint(number << 3 | 1) + struct.pack("<d", value)


def item(path: Sequence[str] | str, json_text: str | bytes | None, typed: bytes = b"") -> bytes:
    """A history, summary or config item: `key` if the path is a string, else `nested_key`."""
    key = blob(1, path) if isinstance(path, str) else b"".join(blob(2, part) for part in path)
    return key + typed + (b"" if json_text is None else blob(16, json_text))


def history(items: Iterable[bytes], step: int | None = None) -> bytes:
    row = b"".join(blob(1, one) for one in items)
    return blob(2, row if step is None else row + blob(2, whole(1, step)))


def row(step: int, **values: object) -> bytes:
    """A history record as wandb-core writes it."""
    items = [item([key], json.dumps(value)) for key, value in values.items()]
    return history([*items, item(["_step"], str(step))], step)


def stats(seconds: int, nanoseconds: int, **values: float) -> bytes:
    items = b"".join(blob(3, item(key, json.dumps(value))) for key, value in values.items())
    return blob(7, blob(2, whole(1, seconds) + whole(2, nanoseconds)) + items)


def summary(updates: Iterable[bytes], removed: Iterable[bytes] = ()) -> bytes:
    return blob(3, b"".join(blob(1, u) for u in updates) + b"".join(blob(2, r) for r in removed))


def line(text: bytes | str, stdout: bool = True) -> bytes:
    return blob(13, whole(1, int(stdout)) + blob(3, text))


def run(rows: int, padding: int = 0) -> list[bytes]:
    """A header-like record, rows with one value each, and an exit record."""
    filler = [line("x" * padding)] if padding else []
    return [blob(17, blob(1, "abc")), *filler, *(row(n, x=n) for n in range(rows)), blob(18, b"")]


# --- framing --------------------------------------------------------------------------------------


@dataclass
class Log:
    """The bytes of a file, and where each record begins and ends."""

    raw: bytes = HEADER
    origin: int = 0
    spans: list[tuple[int, int]] = field(default_factory=list)

    def chunk(self, kind: int, payload: bytes) -> None:
        crc = zlib.crc32(bytes([kind]) + payload)
        self.raw += struct.pack("<IHB", crc, len(payload), kind) + payload

    def left(self) -> int:
        return BLOCK - (len(self.raw) - self.origin) % BLOCK

    def add(self, payload: bytes) -> None:
        if self.left() < 7:
            self.raw += bytes(self.left())
        start, is_first = len(self.raw), True
        while True:
            if self.left() < 7:
                self.raw += bytes(self.left())
            part, payload = payload[: self.left() - 7], payload[self.left() - 7 :]
            kinds = {(True, True): 1, (True, False): 2, (False, False): 3, (False, True): 4}
            self.chunk(kinds[is_first, not payload], part)
            is_first = False
            if not payload:
                break
        self.spans.append((start, len(self.raw)))

    @classmethod
    def of(cls, records: Iterable[bytes], origin: int = 0) -> Log:
        log = cls(origin=origin)
        for record in records:
            log.add(record)
        return log


# --- reading --------------------------------------------------------------------------------------


@dataclass
class Point:
    stream: str
    path: tuple[str, ...]
    step: int | None
    time_ns: int | None
    seq: int
    value: Any = None
    kind: str = ""
    exact: int | None = None


@dataclass
class Scan:
    points: list[Point] = field(default_factory=list)
    values: list[Point] = field(default_factory=list)
    lines: list[tuple[str, str]] = field(default_factory=list)
    records: list[tuple[str, int, dict[str, Any]]] = field(default_factory=list)
    damage: list[tuple[int, int, str]] = field(default_factory=list)
    batches: list[tuple[int, int]] = field(default_factory=list)  # rows of points, offset after
    summary: dict[tuple[str, ...], str | None] = field(default_factory=dict)
    offset: int = 0
    origin: int = -1
    seq: int = 0

    @property
    def trace(self) -> list[tuple[int, tuple[str, ...], object]]:
        """(seq, path, value) of every point and value, in order."""
        both = [(p.seq, p.path, p.value) for p in self.points + self.values]
        return sorted(both, key=lambda entry: entry[0])


def _time_ns(row: dict[str, Any]) -> int | None:
    return None if row["time"] is None else row["time"] * 1000 + row["time_ns"]


def _rows(table: object) -> list[dict[str, Any]]:
    batch = pa.record_batch(table)
    batch.validate(full=True)
    if "time" in batch.schema.names:
        index = batch.schema.get_field_index("time")
        batch = batch.set_column(index, "time", batch.column("time").cast(pa.int64()))
    return batch.to_pylist()


def scan(path: Path, **options: Any) -> Scan:
    scanner = WandbScanner(path, **options)
    found, names = Scan(), []
    while (batch := scanner.next()) is not None:
        names += batch.series
        for table, rows in ((batch.points, found.points), (batch.values, found.values)):
            for r in [] if table is None else _rows(table):
                at = (*names[r["series"]], r["step"], _time_ns(r), r["seq"])
                if "json" in r:
                    rows.append(Point(*at, value=r["json"]))
                else:
                    rows.append(Point(*at, r["value"], r["kind"], r["value_i64"]))
        if batch.console is not None:
            found.lines += [(r["stream"], r["line"]) for r in _rows(batch.console)]
        found.records += batch.records
        found.damage += batch.damage
        found.batches.append((len(batch.points) if batch.points else 0, scanner.offset))
    found.summary = dict(scanner.summary())
    found.offset, found.origin, found.seq = scanner.offset, scanner.origin, scanner.seq
    return found


def scan_bytes(folder: Path, raw: bytes, **options: Any) -> Scan:
    return scan(written(folder, raw), **options)


def written(folder: Path, raw: bytes) -> Path:
    path = folder / "run.wandb"
    path.write_bytes(raw)
    return path


def steps(found: Scan) -> list[int | None]:
    """The step of every point."""
    return [point.step for point in found.points]


def everything(found: Scan) -> list[object]:
    """What was found, in a form that can be compared."""
    rows = [("point", p.step, p.value) for p in found.points]
    return rows + [("line", text) for _, text in found.lines] + [(n,) for n, _, _ in found.records]


def read(folder: Path, *records: bytes) -> Scan:
    return scan_bytes(folder, Log.of(records).raw)


def one(folder: Path, json_text: str | bytes, typed: bytes = b"") -> Scan:
    return read(folder, history([item(["x"], json_text or None, typed)], 0))
