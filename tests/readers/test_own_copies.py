"""Exact copies beside what trackers read, when they are damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from runferry.chunks import Checkpoint
from runferry.ports import Location, ReadOptions
from runferry.registry import reader
from runferry.registry import writer as writer_named
from runferry.testing.samples import curve

TRACKERS = ["swanlab", "clearml", "trackio", "neptune"]


@pytest.mark.parametrize("tracker", TRACKERS)
def test_a_damaged_copy_is_said_and_what_was_made_of_it_is_read(
    tracker: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    where = Location(
        tracker, str(tmp_path / "out.db" if tracker == "trackio" else tmp_path / "out")
    )
    sample = curve(5)
    writer = writer_named(tracker).open(where)
    remote = writer.create(sample.run, sample.run.uid)
    chunks = (chunk for chunk in sample.chunks if not isinstance(chunk, Checkpoint))
    for number, chunk in enumerate(chunks):
        writer.append(remote, number, chunk)
    writer.seal(remote, sample.run)
    writer.close()

    def read() -> list[str]:
        caplog.clear()
        source = reader(tracker).open(where, ReadOptions())
        runs = list(source.runs())
        assert len(runs) == 1
        source.close()
        return [text for text in caplog.messages if "the exact copy cannot be read" in text]

    assert not read()
    (said,) = tmp_path.rglob("run.json")
    said.write_bytes(b"{")
    assert len(read()) == 1
