"""Folders of plain files to read, made by our own writers."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from runferry.ports import Location, Writer
from runferry.testing.recording import Sample
from runferry.writers.csv_folder import CsvFolderWriter
from runferry.writers.jsonl_folder import JsonLinesFolderWriter
from runferry.writers.parquet_folder import ParquetFolderWriter

WRITERS: dict[str, type[Writer]] = {
    "csv": CsvFolderWriter,
    "jsonl": JsonLinesFolderWriter,
    "parquet": ParquetFolderWriter,
}


def written(form: str, folder: Path, samples: Iterable[Sample]) -> Location:
    """These runs, written to a folder."""
    where = Location(form, str(folder))
    writer = WRITERS[form].open(where)
    for sample in samples:
        remote = writer.create(sample.run, sample.run.uid)
        for number, chunk in enumerate(sample.chunks):
            writer.append(remote, number, chunk)
        writer.seal(remote, sample.run)
    writer.close()
    return where


def folder_of(where: Location, sample: Sample) -> Path:
    """Where a run came to lie."""
    (folder,) = (where.path / "runs").glob(f"*-{sample.run.uid[:8]}")
    return folder
