"""The reader `parquet`: any Parquet file, its step and time columns named by the user."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from runferry.errors import Damaged, NotFound, SourceChanged, SourceError
from runferry.losses import Fate, Loss
from runferry.model import KeyPath, Tree
from runferry.paths import fingerprint
from runferry.readers.tabular.any_size_lists import has_fixed_lists, metadata_of_any_lists
from runferry.readers.tabular.any_table import AnyTableReader
from runferry.readers.tabular.arrow_cells import flattened, values_of
from runferry.readers.tabular.block import Block, Place, TableFile

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

_CELLS_AT_ONCE = 1 << 19
_FINER_CELLS = 1 << 13
_TELLING = 100  # columns whose first values tell a table from others


@dataclass(frozen=True)
class ParquetTable:
    """The rows of one file; see `runferry.readers.tabular.block.TableFile`.

    A place is a number of rows, its line the size of the file: such a file never grows.
    """

    path: Path
    paths: tuple[KeyPath, ...]
    cells: int = _CELLS_AT_ONCE  # of a block, about

    def columns(self) -> list[KeyPath]:
        """As the schema names them, structs taken apart."""
        return list(self.paths)

    def begin(self) -> Place:
        """Before the first row."""
        return Place(0, self.path.stat().st_size, 0)

    def finer(self) -> ParquetTable:
        """See `TableFile`."""
        return replace(self, cells=_FINER_CELLS)

    def only(self, column: int, name: str) -> ParquetTable:
        """All of it: rows are told apart when they are decoded."""
        del column, name
        return self

    def blocks(
        self, after: Place, columns: list[KeyPath], until: Place | None = None
    ) -> Iterator[Block]:
        """Batches of rows, each decoded by itself; row groups without any of them are passed by."""
        del columns
        rows = max(1, self.cells // max(1, len(self.paths)))
        with opened(self.path) as file:
            end = file.metadata.num_rows if until is None else until.row
            groups, row = _groups(file, after.row, end)
            for batch in _batches(self.path, file, rows, groups):
                begin, row = row, row + batch.num_rows
                first, last = max(after.row, begin), min(row, end)
                if first >= last:
                    continue
                part = batch.slice(first - begin, last - first)
                place = replace(after, offset=last, row=last)
                values = values_of([array for _, array in flattened(part)])
                yield Block(np.arange(first, last), values, place)

    def sign(self, place: Place) -> Place:
        """By the beginning and the end of the file, where its footer is."""
        return replace(place, signature=fingerprint(self.path, place.line))

    def check(self, place: Place) -> None:
        """Raises SourceChanged unless it is the same file."""
        if not place.signature:
            return
        size = self.path.stat().st_size
        if size != place.line or fingerprint(self.path, size) != place.signature:
            raise SourceChanged(
                "this file is not the one that was read before",
                where=str(self.path),
                hint="pull it into a new archive, or restore the file",
            )


def _batches(
    path: Path, file: pq.ParquetFile, rows: int, groups: list[int] | None
) -> Iterator[pa.RecordBatch]:
    """Rows of some groups. Raises SourceError for what Arrow cannot decode."""
    from runferry.tables import UNDECODED, decoded

    try:
        yield from decoded(file, batch_size=rows, row_groups=groups)
    except UNDECODED as error:
        raise SourceError(
            f"Arrow cannot decode it: {str(error).splitlines()[0]}",
            where=str(path),
            hint="write that column in another type, with the program that made the file",
        ) from error


def _groups(file: pq.ParquetFile, begin: int, end: int) -> tuple[list[int], int]:
    """The row groups that have any of these rows, and the number of the first's first row."""
    found: list[int] = []
    first = row = 0
    for number in range(file.metadata.num_row_groups):
        behind = row + file.metadata.row_group(number).num_rows
        if behind > begin and row < end:
            first = first if found else row
            found.append(number)
        row = behind
    return found, first


def opened(path: Path) -> pq.ParquetFile:
    """The file. Raises NotFound for an empty one, Damaged for what is no Parquet."""
    import pyarrow.parquet as pq

    from runferry.tables import UNDECODED

    name = shlex.quote(str(path))
    if path.stat().st_size == 0:
        raise NotFound("nothing in it", where=str(path), hint=f"ls -l {name}")
    try:
        file = pq.ParquetFile(path)
        if not has_fixed_lists(file.schema_arrow):
            return file
        return pq.ParquetFile(path, metadata=metadata_of_any_lists(path))
    except UNDECODED as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the system says it; without a number Arrow does, of a damaged footer
        what = str(error).splitlines()[0].rstrip(".")
        raise Damaged(
            f"no whole Parquet file ({what})",
            where=str(path),
            offset=None,
            hint=f"tail -c 4 {name}  # a whole one ends with PAR1",
        ) from None


class ParquetReader(AnyTableReader):
    """Every `.parquet` file below a folder, or one file of any name."""

    name: ClassVar[str] = "parquet"
    takes: ClassVar[str] = "a Parquet file, or a folder with .parquet files"
    suffixes: ClassVar[tuple[str, ...]] = (".parquet",)

    def table(self, path: Path, label: str) -> tuple[TableFile, Tree, tuple[Loss, ...]]:
        """See `AnyTableReader.table`."""
        with opened(path) as file:
            if not file.metadata.num_rows:
                hint = f"ls -l {shlex.quote(str(path))}"
                raise NotFound("no row in it", where=str(path), hint=hint)
            first = next(_batches(path, file, 1, None))
        columns = flattened(first)
        values = values_of([array for _, array in columns[:_TELLING]])
        record: dict[str, Tree] = {
            ".".join(columns[column][0]): repr(value)
            for column, value in zip(values.numbers.column, values.numbers.value, strict=True)
        }
        texts = values.words.text.to_pylist()
        for column, text in zip(values.words.column, texts, strict=True):
            record[".".join(columns[column][0])] = text
        paths, losses = _apart([path for path, _ in columns], label)
        kinds = [array.type for _, array in columns]
        return ParquetTable(path, paths), record, (*losses, *_durations(paths, kinds))


def _durations(paths: tuple[KeyPath, ...], kinds: list[pa.DataType]) -> Iterator[Loss]:
    """Says of each column of durations what its numbers count."""
    import pyarrow as pa

    for path, kind in zip(paths, kinds, strict=True):
        if pa.types.is_duration(kind):
            detail = f"durations are whole numbers of {kind.unit} here, as Parquet stores them"
            yield Loss("duration", Fate.REENCODED, ".".join(path), 1, detail)


def _apart(paths: list[KeyPath], label: str) -> tuple[tuple[KeyPath, ...], tuple[Loss, ...]]:
    """Paths that are each their own."""
    taken: set[KeyPath] = set()
    apart, losses = [], []
    for number, path in enumerate(paths, 1):
        own = path if path not in taken else (*path, f"column {number}")
        if own != path:
            detail = f"the column is called {'.'.join(own)!r} here"
            losses.append(
                Loss("repeated-column", Fate.RENAMED, f"{label} column {number}", 1, detail)
            )
        taken.add(own)
        apart.append(own)
    return tuple(apart), tuple(losses)
