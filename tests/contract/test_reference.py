"""The reference tracker is what it says it is: the rest of the suite leans on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from runferry import chunks
from runferry.errors import Refused, RunMissing
from runferry.model import Series
from runferry.ports import Location, ReadOptions, RemoteId
from runferry.testing.recording import Recording, Sample
from runferry.testing.reference import (
    FaithfulWriter,
    ReferenceReader,
    ReferenceWriter,
    StrictWriter,
    record,
)
from runferry.testing.samples import all_samples, curve, header


def spelled(chunk: chunks.Chunk) -> object:
    """What can be compared, NaN included."""
    batch = getattr(chunk, "batch", None)
    return repr(chunk) if batch is None else repr(batch.to_pylist())


def written(writer: type[ReferenceWriter], sample: Sample, where: Path) -> list[chunks.Chunk]:
    place = Location("reference", str(where))
    pen = writer.open(place)
    remote = pen.create(sample.run, sample.run.uid)
    for number, chunk in enumerate(sample.chunks):
        pen.append(remote, number, chunk)
    pen.seal(remote, sample.run)
    reader = ReferenceReader.open(place, ReadOptions())
    (run,) = [run for run in reader.runs() if run.key.run_id == remote]
    assert run.origin_uid == sample.run.uid
    return list(reader.read(run))


@pytest.mark.parametrize("sample", all_samples(keys=50), ids=lambda s: s.run.key.run_id)
def test_a_recorded_run_is_played_back_exactly(sample: Sample, tmp_path: Path) -> None:
    reader = ReferenceReader.open(record([sample], tmp_path), ReadOptions())
    (run,) = reader.runs()
    assert run == sample.run
    played = [chunk for chunk in reader.read(run) if not isinstance(chunk, chunks.Checkpoint)]
    logged = [chunk for chunk in sample.chunks if not isinstance(chunk, chunks.Checkpoint)]
    assert list(map(spelled, played)) == list(map(spelled, logged))


@pytest.mark.parametrize("sample", all_samples(keys=50), ids=lambda s: s.run.key.run_id)
def test_the_faithful_tracker_keeps_every_row(sample: Sample, tmp_path: Path) -> None:
    rows = [spelled(c) for c in written(FaithfulWriter, sample, tmp_path) if hasattr(c, "batch")]
    assert rows == [spelled(chunk) for chunk in sample.chunks if hasattr(chunk, "batch")]


def test_the_strict_tracker_drops_late_steps_and_merges_equal_rows(tmp_path: Path) -> None:
    run = Recording(header("late"))
    for step, value in ((0, 1.0), (2, 2.0), (1, 3.0), (2, 2.0), (2, 4.0)):
        run.log({"loss": value}, step=step, time_ns=0)
    (points,) = [
        chunk
        for chunk in written(StrictWriter, run.sample(), tmp_path)
        if isinstance(chunk, chunks.Points)
    ]
    assert points.batch.column("value").to_pylist() == [1.0, 2.0, 4.0]


def test_the_strict_tracker_takes_names_that_differ_by_case_for_one(tmp_path: Path) -> None:
    run = Recording(header("case")).log({"Loss": 1.0, "loss": 2.0}, step=0, time_ns=0)
    held = written(StrictWriter, run.sample(), tmp_path)
    (points,) = [chunk for chunk in held if isinstance(chunk, chunks.Points)]
    assert points.batch.column("key").to_pylist() == ["Loss", "Loss"]


def test_the_strict_tracker_refuses_names_beyond_its_rules(tmp_path: Path) -> None:
    pen = StrictWriter.open(Location("reference", str(tmp_path)))
    remote = pen.create(header("long"), header("long").uid)
    for name in ("k" * 121, "a//b", "_step", "损失", "step"):
        with pytest.raises(Refused):
            pen.append(remote, 0, chunks.SeriesFacts((Series(name, (name,)),)))


def test_a_line_torn_anywhere_is_cut_off_and_sent_again(tmp_path: Path) -> None:
    place = Location("reference", str(tmp_path))
    sample = curve(rows=20, batch=5)
    pen = StrictWriter.open(place)
    remote = pen.create(sample.run, sample.run.uid)
    for number, chunk in enumerate(sample.chunks):
        pen.append(remote, number, chunk)
    log = tmp_path / f"{remote}.jsonl"
    whole = log.read_bytes()
    for size in range(whole.index(b"\n") + 1, len(whole), 397):
        log.write_bytes(whole[:size])
        again = StrictWriter.open(place)
        progress = again.stored(remote)
        assert progress is not None
        for number, chunk in enumerate(sample.chunks):
            if number >= (progress.chunks or 0):
                again.append(remote, number, chunk)
        assert log.read_bytes() == whole


def test_what_is_not_there_is_missing(tmp_path: Path) -> None:
    pen = StrictWriter.open(Location("reference", str(tmp_path)))
    for remote in ("r000000", "../r000000", "/etc/passwd"):
        with pytest.raises(RunMissing):
            pen.stored(RemoteId(remote))


def test_a_log_grows_by_what_was_recorded_since(tmp_path: Path) -> None:
    full = curve(rows=40, batch=10)
    where = record([Sample(full.run, full.chunks[:4])], tmp_path)
    before = len((tmp_path / f"{full.run.uid}.jsonl").read_bytes())
    record([full], tmp_path)
    reader = ReferenceReader.open(where, ReadOptions())
    assert len(list(reader.read(full.run))) == len(full.chunks)
    assert len((tmp_path / f"{full.run.uid}.jsonl").read_bytes()) > before
