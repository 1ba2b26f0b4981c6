"""`sql`: a query's answer, streamed as JSON or shown as a table."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any
from uuid import UUID

from runferry.cli.grid import Column, count, show
from runferry.cli.session import Session
from runferry.errors import UsageError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from runferry.archive.store import Archive

_BATCH = 10_000


def answer(archive: Archive, query: str) -> DuckDBPyConnection:
    """The query begun. Raises UsageError with the database's own words when it is none."""
    import duckdb

    connection = archive.sql()
    try:
        return connection.execute(query)
    except duckdb.Error as error:
        raise UsageError(
            f"the query failed: {error}",
            hint=f"runferry sql {archive.path} 'SHOW TABLES' lists what can be asked",
        ) from error


def print_answer_json(session: Session, cursor: DuckDBPyConnection) -> None:
    """One document, written row by row."""
    from runferry.tables import to_json

    columns = [{"name": c[0], "type": str(c[1])} for c in cursor.description or ()]
    sys.stdout.write(f'{{"schema": 1, "columns": {json.dumps(columns)}, "rows": [')
    for number, row in enumerate(_rows(cursor)):
        values = json.dumps([to_json(_plain(value)) for value in row], allow_nan=False)
        sys.stdout.write(f"{',' if number else ''}\n  {values}")
    sys.stdout.write("\n]}\n")


def show_answer(session: Session, cursor: DuckDBPyConnection, limit: int) -> None:
    """A table of the first rows; says how many more there are."""
    columns = [
        Column(str(c[0]), "right" if str(c[1]) in _NUMBERS else "left", is_elastic=True)
        for c in cursor.description or ()
    ]
    rows = _rows(cursor)
    shown = [[_text(value) for value in row] for row in islice(rows, limit)]
    show(session.out, columns, shown, session.ellipsis, keep_empty=True)
    more = sum(1 for _ in rows)
    if more:
        session.note(f"{count(more, 'more row')} not shown; --json prints all")


_NUMBERS = frozenset({"NUMBER", "BIGINT", "INTEGER", "DOUBLE", "FLOAT", "HUGEINT", "UBIGINT"})


def _rows(cursor: DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    while batch := cursor.fetchmany(_BATCH):
        yield from batch


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _plain(value: Any) -> Any:
    """A value of the database as one of the kinds that the archive's JSON knows."""
    if isinstance(value, (Decimal, UUID, date, time, timedelta)) and not isinstance(
        value, datetime
    ):
        return str(value)
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.isoformat()
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    return value
