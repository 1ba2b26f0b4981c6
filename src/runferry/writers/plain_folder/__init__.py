"""Runs as plain files in a folder, whatever the form: the core of `csv`, `jsonl` and `parquet`."""

from runferry.writers.plain_folder.writer import PlainFolderWriter

__all__ = ["PlainFolderWriter"]
