"""Reads back the folders of plain files that runferry wrote: `csv`, `jsonl` and `parquet`."""

from runferry.readers.plain_folder.reader import (
    CsvFolderReader,
    JsonLinesFolderReader,
    ParquetFolderReader,
    PlainFolderReader,
)

__all__ = [
    "CsvFolderReader",
    "JsonLinesFolderReader",
    "ParquetFolderReader",
    "PlainFolderReader",
]
