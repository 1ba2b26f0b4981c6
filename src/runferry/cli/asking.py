"""`sql`: a query's answer, streamed as JSON or shown as a table."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any
from uuid import UUID

from runferry.cli.grid import Column, count, show
from runferry.cli.session import Session
from runferry.errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa

    from runferry.archive.store import Archive


@contextmanager
def answered(archive: Archive, query: str) -> Iterator[pa.RecordBatchReader]:
    """The query's rows, batch by batch. Raises UsageError with the database's own words."""
    import duckdb
    import pyarrow as pa

    with archive.sql() as connection:
        try:
            relation = connection.sql(query)
            if relation is None:
                raise UsageError("this statement has no answer", hint="ask with SELECT or SHOW")
            yield pa.RecordBatchReader.from_stream(relation)
        except (duckdb.Error, pa.ArrowException) as error:  # the latter while rows are fetched
            raise UsageError(
                f"the query failed: {error}",
                hint=f"runferry sql {archive.path} 'SHOW TABLES' lists what can be asked",
            ) from error


def print_answer_json(session: Session, answer: pa.RecordBatchReader) -> None:
    """One document, written row by row."""
    from runferry.tables import to_json

    columns = [{"name": field.name, "type": str(field.type)} for field in answer.schema]
    sys.stdout.write(f'{{"schema": 1, "columns": {json.dumps(columns)}, "rows": [')
    for number, row in enumerate(_rows(answer)):
        values = json.dumps([to_json(_plain(value)) for value in row], allow_nan=False)
        sys.stdout.write(f"{',' if number else ''}\n  {values}")
    sys.stdout.write("\n]}\n")


def show_answer(session: Session, answer: pa.RecordBatchReader, limit: int) -> None:
    """A table of the first rows; says how many more there are."""
    columns = [
        Column(field.name, "right" if _is_number(field.type) else "left", is_elastic=True)
        for field in answer.schema
    ]
    rows = _rows(answer)
    shown = [[_text(value) for value in row] for row in islice(rows, limit)]
    show(session.out, columns, shown, session.ellipsis, keep_empty=True)
    more = sum(1 for _ in rows)
    if more:
        session.note(f"{count(more, 'more row')} not shown; --json prints all")


def _rows(answer: pa.RecordBatchReader) -> Iterator[tuple[Any, ...]]:
    for batch in answer:
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _is_number(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


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
