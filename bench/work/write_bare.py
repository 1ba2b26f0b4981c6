"""Writes the tables of an archive again with nothing but pyarrow: as many files, all synced.

Every Parquet file of the archive is read into memory first. Then, run by run, each table is
written with the same compression, encodings and row groups, its file is synced, and last the run's
folder. No decoding, sorting, hashing, counting, commit record or lock.

Usage: write_bare.py ARCHIVE FOLDER WORKERS
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from stopwatch import answer, stopwatch

archive, folder, workers = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])


def options_of(file: pq.ParquetFile) -> dict[str, Any]:
    """How this file was written, from its own footer."""
    group = file.metadata.row_group(0)
    columns = [group.column(number) for number in range(group.num_columns)]
    names = [column.path_in_schema.partition(".")[0] for column in columns]
    is_dictionary = [column.has_dictionary_page for column in columns]
    special = {"DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT", "DELTA_LENGTH_BYTE_ARRAY"}
    return {
        "compression": columns[0].compression.lower(),
        "compression_level": 3 if columns[0].compression == "ZSTD" else None,
        "version": "2.6",
        "use_dictionary": [name for name, flag in zip(names, is_dictionary, strict=True) if flag],
        "column_encoding": {
            name: encoding
            for name, column, flag in zip(names, columns, is_dictionary, strict=True)
            for encoding in special.intersection(column.encodings)
            if not flag
        },
        "write_statistics": [
            name for name, column in zip(names, columns, strict=True) if column.is_stats_set
        ],
        "store_schema": False,
        "row_group_size": 1_000_000,
        "data_page_size": 1 << 28,
    }


def write(run: str, tables: list[tuple[str, pa.Table, dict[str, Any]]]) -> None:
    """The files of one run, then its folder."""
    home = folder / run
    home.mkdir()
    for name, table, options in tables:
        with (home / name).open("xb", buffering=0) as out:
            pq.write_table(table, out, **options)
            os.fsync(out.fileno())
    descriptor = os.open(home, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


runs: dict[str, list[tuple[str, pa.Table, dict[str, Any]]]] = {}
size = 0
for path in sorted((archive / "data").glob("run=*/*.parquet")):
    file = pq.ParquetFile(path)
    options = options_of(file) if file.metadata.num_rows else {}
    runs.setdefault(path.parent.name, []).append((path.name, file.read(), options))
    size += path.stat().st_size
folder.mkdir()

with stopwatch() as lap, ThreadPoolExecutor(workers) as pool:
    list(pool.map(write, runs.keys(), runs.values()))

written = sorted(folder.glob("run=*/*.parquet"))
answer(
    lap,
    {
        "runs": len(runs),
        "files": len(written),
        "points": sum(t.num_rows for run in runs.values() for n, t, _ in run if n[:6] == "points"),
        "bytes": sum(path.stat().st_size for path in written),
        "archive_bytes": size,
    },
)
