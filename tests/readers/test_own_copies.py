"""Exact copies beside what trackers read, when they are damaged."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.transfer.roads import archive_of

from runferry import settings
from runferry.archive.store import Archive
from runferry.chunks import Checkpoint, Lost, Points
from runferry.dialects.neptune.own_store import offline_store
from runferry.dialects.neptune.places import ServerPlace
from runferry.errors import Damaged
from runferry.losses import Fate, Loss
from runferry.ports import Location, ReadOptions
from runferry.registry import reader
from runferry.registry import writer as writer_named
from runferry.testing.recording import Recording
from runferry.testing.samples import START_NS, curve
from runferry.testing.samples.basics import header
from runferry.transfer.pull import pull
from runferry.transfer.push import push

NOTES = {
    "aim": "logged.json",
    "swanlab": "shown.json",
    "clearml": "authored.json",
    "trackio": "logged.json",
    "neptune": "exported.json",
}


@pytest.mark.parametrize("tracker", NOTES)
def test_a_damaged_copy_is_a_loss_of_the_run_that_is_read_instead(
    tracker: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    if tracker == "aim":
        pytest.importorskip("aim", reason="aim is not installed")
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

    def read() -> list[Loss]:
        caplog.clear()
        source = reader(tracker).open(where, ReadOptions())
        (run,) = source.runs()
        read = list(source.read(run))
        source.close()
        assert any(isinstance(chunk, Points) for chunk in read)
        losses = [chunk.loss for chunk in read if isinstance(chunk, Lost)]
        losses = [loss for loss in losses if loss.code == "damaged-copy"]
        said = [text for text in caplog.messages if "the exact copy cannot be read" in text]
        assert len(said) == len(losses)
        return losses

    assert not read()
    for name in ("run.json", NOTES[tracker]):
        (said,) = tmp_path.rglob(name)
        whole = said.read_bytes()
        said.write_bytes(b"{")
        (loss,) = read()
        assert (loss.fate, loss.count) == (Fate.DROPPED, 1)
        assert loss.where in said.parts
        said.write_bytes(whole)


@pytest.mark.parametrize("tracker", ["swanlab", "clearml", "trackio"])
def test_names_that_a_tracker_does_not_take_come_back_as_they_were(
    tracker: str, tmp_path: Path
) -> None:
    recording = Recording(header("odd names"))
    for step in range(3):
        values = {".dot": step * 0.5, " lead": 1.0, "a\nb": 2.0, "__swanlab__.x": 3.0}
        recording.log(values, step=step, time_ns=START_NS + step)
    before = archive_of([recording.sample()], tmp_path / "before")
    place = tmp_path / ("out.db" if tracker == "trackio" else "out")
    assert not push(before, Location(tracker, str(place))).failures
    after = Archive.open(tmp_path / "after", create=True, reserve=0)
    pull(Location(tracker, str(place)), after, reserve_bytes=0)
    (wanted,), (found,) = before.records(), after.records()
    assert [one.key for one in after.series(found)] == [one.key for one in before.series(wanted)]
    assert found.sums == wanted.sums  # of all rows, keys included


def test_a_damaged_copy_in_neptunes_queue_is_listed_and_reading_it_tells_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else there could be read instead."""
    monkeypatch.chdir(tmp_path)
    folder = offline_store(ServerPlace.of("team/zoo")) / "runs" / "some-01234567"
    folder.mkdir(parents=True)
    (folder / "run.json").write_bytes(b"{")
    settings.install(settings.Settings(neptune_mode="offline"))
    try:
        source = reader("neptune").open(Location("neptune", "team/zoo"), ReadOptions())
        (run,) = source.runs()
        with pytest.raises(Damaged, match=r"run\.json"):
            list(source.read(run))
    finally:
        settings.install(None)
