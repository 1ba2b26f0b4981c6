"""Logs of ours that are cut or hurt: what is whole is read, and nothing is made up."""

from __future__ import annotations

from pathlib import Path

import pytest

from runferry import chunks
from runferry.ports import Location, ReadOptions
from runferry.readers.wandb.reader import WandbFilesReader
from runferry.testing.content import Content
from runferry.testing.samples import curve
from runferry.testing.writer_laws import numbered
from runferry.writers.wandb import WandbWriter

SAMPLE = curve(300, batch=100)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written")
    writer = WandbWriter.open(Location("wandb", str(folder)))
    remote = writer.create(SAMPLE.run, SAMPLE.run.uid)
    for number, chunk in numbered(SAMPLE):
        writer.append(remote, number, chunk)
    writer.seal(remote, SAMPLE.run)
    writer.close()
    (found,) = folder.glob("*/run-*.wandb")
    return found


def read(path: Path) -> list[chunks.Chunk]:
    """All chunks of the run in one file."""
    reader = WandbFilesReader.open(Location("wandb", str(path)), ReadOptions())
    (run,) = reader.runs()
    return list(reader.read(run))


def points(found: list[chunks.Chunk]) -> list[tuple[object, ...]]:
    rows = (chunk.batch.to_pylist() for chunk in found if isinstance(chunk, chunks.Points))
    names = ("key", "step", "seq", "value", "time", "time_ns")
    return [tuple(row[name] for name in names) for batch in rows for row in batch]


def test_a_log_cut_anywhere_gives_an_exact_prefix(log: Path, tmp_path: Path) -> None:
    content, whole = log.read_bytes(), points(read(log))
    assert len(whole) == 900
    cut = tmp_path / log.name
    for length in range(2_000, len(content), len(content) // 37):
        cut.write_bytes(content[:length])
        found = read(cut)
        rows = points(found)
        assert rows == whole[: len(rows)]
        header = Content.of(iter(found)).header
        assert header is not None
        assert not header.complete


def test_a_whole_log_is_complete(log: Path) -> None:
    header = Content.of(iter(read(log))).header
    assert header is not None
    assert header.complete


def test_a_flipped_byte_costs_its_record_and_is_told(log: Path, tmp_path: Path) -> None:
    content, whole = bytearray(log.read_bytes()), points(read(log))
    hurt = tmp_path / log.name
    content[len(content) // 2] ^= 0x55
    hurt.write_bytes(content)
    found = read(hurt)
    assert any(isinstance(chunk, chunks.Lost) for chunk in found)
    rows = points(found)
    assert len(whole) - 40 < len(rows) < len(whole)
    assert set(rows) <= set(whole)  # numbers of rows behind the damage are theirs
