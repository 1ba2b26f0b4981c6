"""Records on their way into a log: W&B's, and ours among them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from runferry import _native
from runferry.chunks import Chunk
from runferry.dialects.chunk_trees import chunk_tree
from runferry.dialects.wandb.own_files import FOOTER, own_record
from runferry.errors import Refused
from runferry.model import Blob, Tree

if TYPE_CHECKING:
    import pyarrow as pa

_LONGEST: Final = 256 << 20
"""Bytes of a record. The native reader takes a longer one for damage (`rust/src/leveldb.rs`)."""


class Records:
    """Puts records into one log."""

    def __init__(self, log: _native.WandbLog, folder: Path) -> None:
        """`folder` is where the run is to lie, for errors to name."""
        self.log = log
        self._folder = folder

    def put(self, number: int, message: bytes) -> None:
        """A record by the number of its type. Raises Refused for what nobody would read back."""
        if len(message) > _LONGEST - 64:
            raise Refused(
                f"a record of {len(message):,} bytes is more than a .wandb file can hold",
                where=str(self._folder),
                hint="push this run into another kind of destination: parquet:FOLDER",
            )
        self.log.record(number, message)

    def rows(self, write: Callable[[pa.RecordBatch], None], batch: pa.RecordBatch) -> None:
        """Rows of a table. Raises Refused for a time that the format has no number for."""
        try:
            write(batch)
        except OverflowError as error:
            raise Refused(
                f"a time beyond the years 1677 to 2262: {error} µs since 1970",
                where=str(self._folder),
                hint="the run is fine in an archive; look for the row with `runferry sql`",
            ) from error

    def own(self, kind: str, tree: Tree) -> None:
        """A record that only we read."""
        self.put(FOOTER, own_record(kind, tree))

    def keep(self, chunk: Chunk, keep: Callable[[Blob, str], Tree] = lambda *_: None) -> None:
        """A chunk as it is, in a record of ours."""
        self.own(*chunk_tree(chunk, keep))
