"""Databases of neptune-scale, as its version 0.30 lays them out and spells its messages."""

from __future__ import annotations

import sqlite3
import struct
from pathlib import Path
from typing import Any

TABLES = """
CREATE TABLE run_operations (
    sequence_id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp INTEGER NOT NULL,
    operation_type INTEGER NOT NULL, operation BLOB NOT NULL,
    operation_size_bytes INTEGER NOT NULL);
CREATE TABLE metadata (
    id INTEGER PRIMARY KEY AUTOINCREMENT, version TEXT NOT NULL, project TEXT NOT NULL,
    run_id TEXT NOT NULL);
CREATE TABLE run_operation_submission (
    sequence_id INTEGER PRIMARY KEY, timestamp INTEGER NOT NULL, request_id TEXT NOT NULL);
CREATE TABLE file_upload_requests (
    id INTEGER PRIMARY KEY AUTOINCREMENT, source_path TEXT NOT NULL, destination TEXT NOT NULL,
    mime_type TEXT NOT NULL, size_bytes INTEGER NOT NULL, is_temporary INTEGER NOT NULL);
CREATE TABLE operation_errors (
    error_id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp INTEGER NOT NULL,
    error_type TEXT NOT NULL, error_details TEXT NOT NULL, error_body TEXT NOT NULL,
    sequence_id INTEGER);
"""
BEGAN_NS = 1_700_000_000_123_456_000


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def text(field: int, value: str | bytes) -> bytes:
    content = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(content)) + content


def double(field: int, value: float) -> bytes:
    return varint(field << 3 | 1) + struct.pack("<d", value)


def value_of(value: Any) -> bytes:
    """A `Value`."""
    match value:
        case bool():
            return number(5, value)
        case float():
            return double(1, value)
        case int():
            return number(3, value)
        case str():
            return text(6, value)
        case list():
            return text(12, b"".join(text(1, one) for one in value))
    raise TypeError(value)


def snapshot(
    *,
    step: float | None = None,
    append: dict[str, Any] | None = None,
    assign: dict[str, Any] | None = None,
    add: dict[str, list[str]] | None = None,
    time_ns: int = BEGAN_NS,
) -> bytes:
    """An `UpdateRunSnapshot`."""
    parts = []
    if step is not None:
        micros = round(step * 1_000_000)
        place = number(1, micros // 1_000_000) + number(2, micros % 1_000_000)
        parts.append(text(1, place))
    seconds, below = divmod(time_ns, 1_000_000_000)
    parts.append(text(2, number(1, seconds) + number(2, below)))
    for field, values in ((4, assign), (8, append)):
        for name, value in (values or {}).items():
            content = value if isinstance(value, bytes) else value_of(value)
            parts.append(text(field, text(1, name) + text(2, content)))
    for name, words in (add or {}).items():
        changes = b"".join(text(1, text(1, word) + number(2, 1)) for word in words)
        parts.append(text(5, text(1, name) + text(2, text(1, changes))))
    return b"".join(parts)


def create(run_id: str, name: str = "", time_ns: int = BEGAN_NS) -> bytes:
    """A `Run`."""
    seconds, below = divmod(time_ns, 1_000_000_000)
    created = text(3, number(1, seconds) + number(2, below))
    return text(1, run_id) + created + (text(5, name) if name else b"")


def database(
    neptune: Path,
    messages: list[bytes],
    *,
    run_id: str = "swift-owl",
    began: int = 1,
    version: str = "v5",
    created: bool = True,
) -> Path:
    """The folder of a run, with these snapshots."""
    folder = neptune / f"team_vision_{run_id}_{began}"
    folder.mkdir(parents=True)
    path = folder / "run_operations.sqlite3"
    with sqlite3.connect(path) as connection:
        connection.executescript(TABLES)
        row = (version, "team/vision", run_id)
        connection.execute("INSERT INTO metadata (version, project, run_id) VALUES (?, ?, ?)", row)
        if created:
            _insert(connection, 1, [create(run_id, "baseline")])
    connection.close()
    log_on(path, messages)
    return path


def log_on(path: Path, messages: list[bytes]) -> None:
    with sqlite3.connect(path) as connection:
        _insert(connection, 0, messages)
    connection.close()


def _insert(connection: sqlite3.Connection, kind: int, messages: list[bytes]) -> None:
    connection.executemany(
        "INSERT INTO run_operations (timestamp, operation_type, operation, operation_size_bytes) "
        "VALUES (?, ?, ?, ?)",
        [(BEGAN_NS // 1_000_000, kind, message, len(message)) for message in messages],
    )
