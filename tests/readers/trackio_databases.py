"""Databases as trackio stores its runs."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path


def database(path: Path, rows: int, *, has_ids: bool = True, run: str = "r") -> Path:
    """As trackio stores it: with ids, or without them as before 0.24."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ids, key = ("run_id TEXT NOT NULL,", "run_id, ") if has_ids else ("", "")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            f"CREATE TABLE IF NOT EXISTS metrics (id INTEGER PRIMARY KEY AUTOINCREMENT, {ids} "
            "timestamp TEXT NOT NULL, run_name TEXT NOT NULL, step INTEGER NOT NULL, "
            "metrics TEXT NOT NULL)"
        )
        statement = (
            f"INSERT INTO metrics ({key}timestamp, run_name, step, metrics) "
            f"VALUES ({'?, ' if has_ids else ''}?, ?, ?, ?)"
        )
        begin = ("0" * 31 + "1",) if has_ids else ()
        connection.executemany(
            statement,
            (
                (*begin, f"2024-01-02T03:04:05.{n:06}+00:00", run, n, f'{{"a":{n / 7},"b":{n}}}')
                for n in range(rows)
            ),
        )
        connection.commit()
    return path
