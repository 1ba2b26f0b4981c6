"""Files of ours beside a run in W&B's service: which rows its rows are, and what was printed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.parquet as pq

from runferry.chunks import Chunk, Console
from runferry.dialects.row_tables import parquet_options
from runferry.dialects.wandb.own_files import FILES
from runferry.dialects.wandb.service_tables import CONSOLE_FILE, ROWS_FILE
from runferry.tables import CONSOLE, conform
from runferry.writers.wandb.source_rows import SourceRowsFound


class BesideRows:
    """Those of one run, below its `files` while it is written."""

    def __init__(self, home: Path) -> None:
        self._files = home / FILES
        self._found = SourceRowsFound()
        self._console: pq.ParquetWriter | None = None
        self.tells_rows = False  # whether it says of every row which one it is; known in the end

    def look_at(self, chunk: Chunk, is_user: Callable[[str], bool]) -> None:
        """Take in what one chunk has of it."""
        self._found.look_at(chunk, is_user)
        if isinstance(chunk, Console) and chunk.batch.num_rows:
            if self._console is None:
                options = parquet_options("console", tuple(CONSOLE.names))
                self._console = pq.ParquetWriter(self._place(CONSOLE_FILE), CONSOLE, **options)
            self._console.write_batch(conform(chunk.batch, CONSOLE))

    def finish(self) -> Iterator[str]:
        """End the files; their paths below `files`."""
        if self._console is not None:
            self._console.close()
            yield CONSOLE_FILE
        table = self._found.table()
        if table is not None:
            pq.write_table(table, self._place(ROWS_FILE), compression="zstd")
            self.tells_rows = True
            yield ROWS_FILE

    def close(self) -> None:
        """Let go of what is open."""
        if self._console is not None:
            self._console.close()

    def _place(self, path: str) -> Path:
        place = self._files / path
        place.parent.mkdir(parents=True, exist_ok=True)
        return place
