"""A reader of archives written from docs/archive.md alone, as another program would have one.

Nothing of runferry is imported here. Runs come as plain values: texts, numbers, lists, mappings.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

ROWS = ("points", "texts", "histograms", "media", "console", "raw")
STATEMENTS = ("series", "files", "artifacts", "documents")
IDENTITY = {
    "files": ("path",),
    "artifacts": ("name", "type", "relation", "version", "artifact_id"),
    "documents": ("kind", "name"),
}
SERIES = ("key", "path", "stream", "kind", "x_axis", "goal", "summary_rule", "hidden")
LANE = 2**64


@dataclass
class ArchivedRun:
    """A run as its commit says."""

    root: Path
    commit: dict[str, Any]

    @property
    def header(self) -> dict[str, Any]:
        """Members as the commit has them, values untagged."""
        return {
            name: value if type(value) is int else untagged(value)
            for name, value in self.commit["run"].items()
        }

    @property
    def attributes(self) -> dict[tuple[str, tuple[str, ...]], Any]:
        """By role and path."""
        return {
            (role, tuple(untagged(path))): untagged(value)
            for role, path, value, *_ in self.commit["attributes"]
        }

    def table(self, name: str) -> pa.Table:
        """All rows of a table of rows, or of statements that are in a segment."""
        segments = [item for item in self.commit["segments"] if item["table"] == name]
        parts = [self._segment(item) for item in sorted(segments, key=lambda s: s["number"])]
        return pa.concat_tables(parts) if parts else pa.table({})

    def _segment(self, stated: Mapping[str, Any]) -> pa.Table:
        path = self.root / stated["path"]
        content = path.read_bytes()
        if len(content) != stated["size"] or sha256(content) != stated["sha256"]:
            raise ValueError(f"{path} is not what was committed")
        table = pq.read_table(pa.BufferReader(content))
        if table.num_rows != stated["rows"]:
            raise ValueError(f"{path} has {table.num_rows} rows")
        return table

    def rows(self, name: str) -> list[dict[str, Any]]:
        """Rows in order of the source; times are integers of µs."""
        table = self.table(name)
        if "time" in table.column_names:
            at = table.column_names.index("time")
            table = table.set_column(at, "time", table["time"].cast(pa.int64()))
        return sorted(table.to_pylist(), key=lambda row: -1 if row["seq"] is None else row["seq"])

    def statements(self, name: str) -> list[dict[str, Any]]:
        """Rows of a statement without their nulls, counts left out."""
        found = self.commit["tables"].get(name)
        rows = self.table(name).to_pylist() if found is None else found
        rows = [_dense(row) for row in rows]
        if name == "series":
            return [
                {column: row[column] for column in (*SERIES, "original_key") if column in row}
                for row in rows
            ]
        return rows

    def blob(self, row: Mapping[str, Any]) -> bytes | None:
        """The bytes that a row speaks of, or None where the source did not have them."""
        if not row["present"]:
            return None
        content = (self.root / "blobs/sha256" / row["sha256"][:2] / row["sha256"]).read_bytes()
        if len(content) != row["size"] or sha256(content) != row["sha256"]:
            raise ValueError(f"blob {row['sha256']} is not what its name says")
        return content

    def sums(self) -> dict[str, list[Any]]:
        """The count and the sum of hashes of each table that has rows."""
        sums: dict[str, list[Any]] = {}
        for name in ROWS:
            table = self.table(name)
            if table.num_rows:
                lanes = (sum_of_points if name == "points" else sum_of_rows)(table)
                sums[name] = [table.num_rows, f"{lanes[0] << 64 | lanes[1]:032x}"]
        return sums

    def digest(self) -> str:
        """The digest, from the content alone."""
        sums = self.sums()
        stated: dict[str, list[Any]] = {
            "run": [self.commit["run"]],
            "attributes": sorted(self.commit["attributes"], key=lambda item: _order(item[:2])),
            "series": sorted(self.statements("series"), key=lambda row: row["key"]),
        }
        for name, columns in IDENTITY.items():
            rows = self.statements(name)
            stated[name] = sorted(rows, key=lambda row: [row.get(c) or "" for c in columns])
        for name, items in stated.items():
            if items:
                sums[name] = [1, f"{_blake(items):032x}"]
        return f"{_blake(sums):032x}"


def runs(root: Path) -> Iterator[ArchivedRun]:
    """All runs of an archive. Raises ValueError for what the specification does not know."""
    manifest = json.loads((root / "archive.json").read_text())
    if (manifest["format"], manifest["version"]) != ("runferry-archive", 2):
        raise ValueError(f"no archive of version 2: {manifest}")
    for path in sorted(root.glob("commits/*/[!.]*.json")):
        commit = json.loads(path.read_text("ascii"))
        if commit["commit_version"] > 1:
            raise ValueError(f"{path} is of a later version")
        if not commit["uid"] == path.stem == uid_of(commit["run"]["key"]):
            raise ValueError(f"{path} is the commit of another run")
        yield ArchivedRun(root, commit)


def uid_of(key: list[Any]) -> str:
    """The uid of tracker, scope and run id."""
    spelled = json.dumps(untagged(key), ensure_ascii=True, separators=(", ", ": "))
    return hashlib.blake2b(spelled.encode("ascii"), digest_size=16).hexdigest()


def untagged(value: Any) -> Any:
    """A value without tags."""
    if isinstance(value, list):
        return [untagged(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((tag, inner),) = value.items()
        if tag.startswith("$"):
            return _TAGS[tag](inner)
    return {name: untagged(item) for name, item in value.items()}


_TAGS: dict[str, Any] = {
    "$float": float,
    "$int": int,
    "$bytes": base64.b64decode,
    "$time": datetime.fromisoformat,
    "$text": "".join,
    "$items": lambda pairs: {untagged(key): untagged(value) for key, value in pairs},
    "$map": lambda inner: {name: untagged(value) for name, value in inner.items()},
}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _dense(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: [_dense(item) if isinstance(item, dict) else item for item in value]
        if isinstance(value, list)
        else value
        for name, value in row.items()
        if value is not None
    }


def _order(item: list[Any]) -> tuple[str, list[str]]:
    return item[0], untagged(item[1])


def _blake(item: Any) -> int:
    spelled = json.dumps(item, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return int.from_bytes(hashlib.blake2b(spelled.encode(), digest_size=16).digest(), "big")


# --- sums of rows ---------------------------------------------------------------------------------


def sum_of_rows(table: pa.Table) -> tuple[int, int]:
    """Of any table but points."""
    first = second = 0
    for cells in zip(*map(_cells, table.columns), strict=True):
        hash_ = xxhash.xxh3_128_intdigest(b"".join(map(_spelled, cells)))
        first, second = (first + (hash_ >> 64)) % LANE, (second + hash_) % LANE
    return first, second


def _cells(column: pa.ChunkedArray) -> list[Any]:
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    return list(column.to_pylist())


def _spelled(cell: Any) -> bytes:
    match cell:
        case None:
            return b"\0"
        case bool():
            return bytes([1, cell])
        case int():
            return b"\1" + cell.to_bytes(8, "little", signed=True)
        case float():
            return b"\1" + _double(cell)
        case str():
            return _spelled(cell.encode())
        case bytes():
            return b"\1" + len(cell).to_bytes(8, "little") + cell
        case list():
            return b"\1" + len(cell).to_bytes(8, "little") + b"".join(map(_double, cell))
    raise TypeError(type(cell))


def _double(value: float) -> bytes:
    return struct.pack("<d", value)


def sum_of_points(table: pa.Table) -> tuple[int, int]:
    """Of points, whose hash has another form."""
    lanes = [0, 0]
    for cells in zip(*map(_cells, table.columns), strict=True):
        for lane in (0, 1):
            parts = (_part(cell, column, lane) for column, cell in enumerate(cells))
            lanes[lane] = (lanes[lane] + mix(sum(parts) % LANE)) % LANE
    return lanes[0], lanes[1]


def _part(cell: Any, column: int, lane: int) -> int:
    if cell is None:
        return constant(4 * column + 2 + lane)
    factor = constant(4 * column + lane) | 1
    if isinstance(cell, str):
        hash_ = xxhash.xxh3_128_intdigest(cell.encode())
        return (hash_ >> 64 if lane == 0 else hash_ % LANE) * factor
    bits = int.from_bytes(_double(cell), "little") if isinstance(cell, float) else cell % LANE
    return (bits ^ (bits >> 32)) * factor


def constant(place: int) -> int:
    return mix((place + 1) * 0x9E3779B97F4A7C15 % LANE)


def mix(x: int) -> int:
    x = (x ^ (x >> 33)) * 0xFF51AFD7ED558CCD % LANE
    x = (x ^ (x >> 33)) * 0xC4CEB9FE1A85EC53 % LANE
    return x ^ (x >> 33)
