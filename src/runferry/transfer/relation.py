"""How one reading of a run's rows relates to another: the same, more, less, or something else."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from runferry import chunks
from runferry.chunks import Chunk
from runferry.transfer.compare import RowComparison
from runferry.transfer.rules import Rules

if TYPE_CHECKING:
    import duckdb

Relation = Literal["same", "extends", "is older", "differs"]

LOGGED_TABLES = ("points", "texts", "histograms", "media")
ADDED_TABLES = ("points", "texts", "histograms")
"""Of these a tracker only ever gets more; a table or an image it may store anew."""

_MEMORY = "256MB"


@contextmanager
def row_database(folder: Path | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """A private database that keeps little in memory and spills below `folder`."""
    import duckdb

    with tempfile.TemporaryDirectory(prefix=".compare-", dir=folder) as spill:
        settings: dict[str, Any] = {
            "memory_limit": _MEMORY,
            "threads": 1,
            "temp_directory": spill,
            "preserve_insertion_order": False,
        }
        connection = duckdb.connect(":memory:", config=settings)
        try:
            yield connection
        finally:
            connection.close()


def relation_of(
    kept: Iterable[Chunk], read: Iterable[Chunk], folder: Path, tables: tuple[str, ...]
) -> Relation:
    """Whether what was read extends what is kept, by the rows of these tables."""
    with row_database(folder) as connection:
        comparison = RowComparison(connection, Rules())
        numbers: dict[str, int] = {}
        for side, source in (("a", kept), ("b", read)):
            for chunk in source:
                if isinstance(chunk, chunks.SeriesFacts):
                    for series in chunk.items:
                        numbers.setdefault(series.key, len(numbers))
                comparison.add("a" if side == "a" else "b", chunk, numbers)
        only_kept, only_read = comparison.unpaired(tables)
    if not only_kept:
        return "extends" if only_read else "same"
    return "differs" if only_read else "is older"
