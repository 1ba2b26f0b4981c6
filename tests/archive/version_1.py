"""Writes what runferry wrote in version 1 of the archive's format: other digests, another ledger.

Files of rows were the same. A row of scalars was a multilinear hash of its columns, any other row
BLAKE2b of its canonical JSON, with bytes and lists of numbers in hex.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import struct
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa

from runferry.archive.store import Archive
from runferry.tables import POINT_KINDS

_LANE = 2**64
_FLAGS = {"step": 8, "step_frac": 9, "time": 10, "time_ns": 11, "value": 12, "value_i64": 13}
_COLUMNS = ("step", "step_frac", "time", "time_ns", "value", "value_i64", "flags", "seq")


def make_version_1(folder: Path) -> None:
    """Turn an archive of today into what it was; every run has another digest then."""
    archive = Archive.open(folder)
    new_of = {}
    for record in list(archive.records()):
        path = folder / "commits" / record.run.uid[:2] / f"{record.run.uid}.json"
        spelled = json.loads(path.read_bytes())
        for table in record.sums:
            rows = archive.table(record, table)
            spelled["sums"][table] = [rows.num_rows, f"{_sum(table, rows):032x}"]
        spelled["digest"] = _blake(json.dumps([record.digest, spelled["sums"]]).encode()).hex()
        new_of[record.digest] = spelled["digest"]
        path.write_text(json.dumps(spelled) + "\n")
    archive.ledger.close()
    _make_ledger_1(folder / "ledger.sqlite", new_of)
    (folder / "archive.json").write_text('{"format": "runferry-archive", "version": 1}\n')


def _sum(table: str, rows: pa.Table) -> int:
    lanes = [0, 0]
    for row in rows.to_pylist():
        hashed = _scalar(row) if table == "points" else _other(row)
        lanes = [(a + b) % _LANE for a, b in zip(lanes, hashed, strict=True)]
    return lanes[0] << 64 | lanes[1]


def _scalar(row: dict[str, Any]) -> tuple[int, int]:
    cells = {**row, "time": row["time"] and int(row["time"].timestamp() * 1_000_000)}
    flags = POINT_KINDS.index(row["kind"]) + 1
    cells["flags"] = flags + sum(1 << bit for name, bit in _FLAGS.items() if row[name] is None)
    bits = struct.unpack("<Q", struct.pack("<d", row["value"] or 0.0))[0]
    cells["value"] = bits ^ (bits >> 32)
    key = _blake(row["key"].encode())
    mixed = []
    for lane in range(2):
        total = int.from_bytes(key[8 * lane : 8 * lane + 8], "little")
        for name in _COLUMNS:
            seed = hashlib.blake2b(f"{name}/{lane}".encode(), digest_size=8).digest()
            total += (cells[name] or 0) * (int.from_bytes(seed, "big") | 1)
        mixed.append(_finalised(total % _LANE))
    return mixed[0], mixed[1]


def _finalised(mixed: int) -> int:
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        mixed = (mixed ^ (mixed >> 33)) * factor % _LANE
    return mixed ^ (mixed >> 33)


def _other(row: dict[str, Any]) -> tuple[int, int]:
    spelled = json.dumps([_cell(cell) for cell in row.values()], separators=(",", ":"))
    digest = _blake(spelled.encode())
    return int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:], "big")


def _cell(cell: Any) -> Any:
    if isinstance(cell, list):
        return struct.pack(f"<{len(cell)}d", *cell).hex()
    if isinstance(cell, bytes):
        return cell.hex()
    return cell if cell is None or isinstance(cell, (int, float, str)) else str(cell)


def _blake(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()


def _make_ledger_1(path: Path, new_of: dict[str, str]) -> None:
    """Without the column `carries`, and with the digests of that time."""
    if not path.exists():
        return
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT uid, destination, digest FROM deliveries").fetchall()
        for uid, destination, digest in rows:
            connection.execute(
                "UPDATE deliveries SET digest = ? WHERE uid = ? AND destination = ?",
                (new_of[digest[:32]] + digest[32:], uid, destination),
            )
        connection.execute("ALTER TABLE deliveries DROP COLUMN carries")
        connection.execute("PRAGMA user_version=1")
        connection.commit()
