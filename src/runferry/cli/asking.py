"""`sql`: a query's answer, streamed as JSON or shown as a table."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any, Self, TypeVar
from uuid import UUID

from runferry.cli.failure import Interrupted, as_json
from runferry.cli.grid import Column, count, show
from runferry.cli.session import Session
from runferry.errors import RunferryError, UsageError

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from runferry.archive.store import Archive

T = TypeVar("T")

_PAUSE_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query gives: its columns, and its rows one at a time."""

    schema: pa.Schema
    rows: Iterator[tuple[Any, ...]]
    damaged: tuple[tuple[str, str], ...]  # runs that it leaves out: uid, and why


@contextmanager
def answered(archive: Archive, query: str) -> Iterator[Answer]:
    """The query's answer. Raises UsageError with the database's own words, also between rows."""
    import pyarrow as pa

    with archive.sql() as connection, _Asking(connection) as asking:
        with _query_errors(archive):
            damaged = connection.execute("SELECT uid, error FROM damaged").fetchall()
            relation = connection.sql(query)
            if relation is None:
                raise UsageError("this statement has no answer", hint="ask with SELECT or SHOW")
            answer = asking.wait_for(lambda: pa.RecordBatchReader.from_stream(relation))
        yield Answer(answer.schema, _rows(archive, answer, asking), tuple(damaged))


class _Asking:
    """Waits for the database in a way that Ctrl-C can break off.

    The database works in a thread of its own, because the main thread hears no signal while it
    is inside a foreign function.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="query")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.interrupt()  # where the answer was not read to its end
        self._thread.shutdown()

    def wait_for(self, work: Callable[[], T]) -> T:
        """What `work` returns. Raises what it raises, and KeyboardInterrupt."""
        future = self._thread.submit(work)
        while True:
            try:
                return future.result(timeout=_PAUSE_SECONDS)
            except TimeoutError:
                if future.done():
                    raise
            except KeyboardInterrupt:
                self._connection.interrupt()
                raise


@contextmanager
def _query_errors(archive: Archive) -> Iterator[None]:
    import duckdb
    import pyarrow as pa

    try:
        yield
    except (duckdb.Error, pa.ArrowException, OSError, RuntimeError) as error:
        # Before rows are fetched it is DuckDB's own error, between them whatever pyarrow makes of
        # its text. DuckDB hears Ctrl-C too, and says so as a RuntimeError (1.4, 1.5).
        if "interrupted" in str(error).lower():
            raise KeyboardInterrupt from error
        raise UsageError(
            f"the query failed: {error}",
            hint=f"runferry sql {shlex.quote(str(archive.path))} 'SHOW TABLES'",
        ) from error
    except (ValueError, OverflowError) as error:
        raise UsageError(
            f"the answer holds a value that cannot be shown: {error}",
            hint="CAST it to VARCHAR in the query",
        ) from error


def _rows(
    archive: Archive, answer: pa.RecordBatchReader, asking: _Asking
) -> Iterator[tuple[Any, ...]]:
    while True:
        with _query_errors(archive):
            batch = asking.wait_for(lambda: next(answer, None))
            if batch is None:
                return
            columns = [column.to_pylist() for column in batch.columns]
        yield from zip(*columns, strict=True)


def print_answer_json(session: Session, answer: Answer) -> None:
    """One document, written row by row; a failure between rows ends it with `error`."""
    from runferry.tables import to_json

    columns = [{"name": field.name, "type": str(field.type)} for field in answer.schema]
    session.has_document = True
    sys.stdout.write(f'{{"schema": 1, "columns": {json.dumps(columns)}, "rows": [')
    try:
        for number, row in enumerate(answer.rows):
            values = json.dumps([to_json(_plain(value)) for value in row], allow_nan=False)
            sys.stdout.write(f"{',' if number else ''}\n  {values}")
    except UsageError as error:
        _end_with(error)
        raise
    except KeyboardInterrupt:
        _end_with(Interrupted())
        raise
    sys.stdout.write("\n]}\n")


def _end_with(error: RunferryError) -> None:
    """The end of a document that began with rows."""
    told = as_json(error)
    rest = f'"exit_code": {told["exit_code"]}, "error": {json.dumps(told["error"])}'
    sys.stdout.write(f"\n], {rest}}}\n")


def show_answer(session: Session, answer: Answer, limit: int) -> None:
    """A table of the first rows; says how many more there are."""
    columns = [
        Column(field.name, "right" if _is_number(field.type) else "left", is_elastic=True)
        for field in answer.schema
    ]
    rows = answer.rows
    shown = [[_text(value) for value in row] for row in islice(rows, limit)]
    show(session.out, columns, shown, session.ellipsis, keep_empty=True)
    more = sum(1 for _ in rows)
    if more:
        session.note(f"{count(more, 'more row')} not shown; --json prints all")


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
