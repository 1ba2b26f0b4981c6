"""The log made anew for a run that takes more has all that was whole, and tells the rest."""

from __future__ import annotations

import random
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from swanlab_service import written
from tests.transfer.roads import archive_of

import runferry
from runferry import _native, chunks, settings
from runferry.dialects.swanlab.adopted import NOTE, OPEN, AdoptedNote, adopted_home
from runferry.dialects.swanlab.names import LOG, MEDIA_RECORD
from runferry.errors import Declined, Refused
from runferry.losses import Fate, Loss
from runferry.model import Address, Blob, MediaItem, Uid
from runferry.ports import Location
from runferry.testing.recording import Recording, Sample
from runferry.testing.samples import START_NS, header
from runferry.transfer.push import push
from runferry.writers.swanlab import adopted_log, adopted_run

PICTURE = b"\x89PNG\r\n\x1a\n not really"


def recorded(run_id: str, *keys: str, rows: int = 3) -> Sample:
    """A run with numbers that no sum has exactly, texts, a picture and lines."""
    numbers = random.Random(run_id)
    recording = Recording(replace(header(run_id), name=run_id))
    for row in range(rows):
        values: dict[str, Any] = {key: numbers.random() for key in keys}
        recording.log(values, step=row, time_ns=START_NS + row * 10**6)
    recording.log({"word": f"of {run_id}"}, step=0, time_ns=START_NS)
    picture = MediaItem("", Address(0), "image", Blob.from_bytes(PICTURE, "image/png"))
    recording.log({"picture": picture}, step=0, time_ns=START_NS)
    recording.console([("stdout", f"a line of {run_id}\n", START_NS)])
    return recording.sample()


def folder_of(tmp_path: Path, sample: Sample) -> Path:
    """A run folder that nobody has adopted yet."""
    swanlog = tmp_path / "swanlog"
    written(Location("swanlab", str(swanlog)), sample).close()
    shutil.rmtree(swanlog / "runferry")
    (folder,) = swanlog.glob("run-*")
    return folder


def added(folder: Path, sample: Sample) -> list[Loss]:
    """Add a run; what that lost beside its names."""
    writer = written(Location("swanlab", str(folder)), sample)
    told = [loss for loss in writer.losses(sample.run.uid) if loss.fate is not Fate.RENAMED]
    writer.close()
    return told


def log_of(folder: Path) -> Path:
    (log,) = folder.glob("run-*.swanlab")
    return log


OURS = recorded("owl", "acc")


def test_more_rows_than_a_batch_has_read_back_as_they_were_sent(tmp_path: Path) -> None:
    """Batches of the log that is made are not those of what it is made of: no sum is the same."""
    folder = folder_of(tmp_path, recorded("lion", "loss"))
    added(folder, recorded("owl", "acc", rows=66_000))
    (run,) = runferry.load(f"swanlab:{folder.parent}")
    assert run.points.num_rows == 66_003


def damaged(log: Path, at: int) -> None:
    content = bytearray(log.read_bytes())
    content[at : at + 4] = b"\xff" * 4
    log.write_bytes(content)


def test_what_is_damaged_in_the_clients_log_is_told_once_with_its_place_and_size(
    tmp_path: Path,
) -> None:
    folder = folder_of(tmp_path, recorded("lion", "loss", rows=5_000))
    damaged(log_of(folder), 40_000)
    scanner = _native.SwanlabScanner(log_of(folder))
    known = [one for batch in iter(scanner.next, None) for one in batch.damage]
    assert known
    told = [loss for loss in added(folder, OURS) if loss.code == "damaged-bytes"]
    place = f"{folder.name}/run.swanlab"
    assert [(loss.where, loss.count) for loss in told] == [
        (f"{place}@{offset}", length) for offset, length, _ in known
    ]
    assert {loss.fate for loss in told} == {Fate.DROPPED}
    assert [loss for loss in added(folder, OURS) if loss.code == "damaged-bytes"] == told
    assert "damaged-bytes" not in {loss.code for loss in added(folder, recorded("lynx", "f1"))}


def test_what_is_damaged_of_a_run_that_was_added_before_is_told_by_the_next(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, recorded("lion", "loss"))
    added(folder, recorded("owl", "acc", rows=3_000))
    section = adopted_home(folder) / f"{OURS.run.uid}.swanlab"
    damaged(section, 40_000)
    (told,) = (loss for loss in added(folder, recorded("lynx", "f1")) if "damaged" in loss.code)
    assert told.where.startswith(f"{folder.name}/{section.name}@")


def test_half_a_record_at_the_end_of_a_log_whose_client_was_killed_was_never_whole(
    tmp_path: Path,
) -> None:
    folder = folder_of(tmp_path, recorded("lion", "loss", rows=50))
    log = log_of(folder)
    log.write_bytes(log.read_bytes()[:-5])
    adopted_home(folder).mkdir(parents=True)
    (adopted_home(folder) / OPEN).touch()  # nobody has it locked
    (told,) = (loss for loss in added(folder, OURS) if loss.code == "cut-tail")
    assert (told.fate, told.count > 0) == (Fate.KEPT, True)


@pytest.mark.parametrize(
    ("number", "named"), [(MEDIA_RECORD, "texts, media and columns"), (LOG, "lines of the console")]
)
def test_a_log_without_a_text_or_a_line_that_was_sent_takes_no_ones_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, named: str
) -> None:
    sample = recorded("lion", "loss")
    ours_are_shown = tuple(one for one in sample.chunks if not isinstance(one, chunks.Console))
    folder = folder_of(tmp_path, replace(sample, chunks=ours_are_shown))
    before = log_of(folder).read_bytes()
    original = adopted_log.write_whole

    def lacking(path: Path, *rest: Any) -> Any:
        whole = path.with_name(".whole")
        lost = original(whole, *rest)
        log = _native.SwanlabLog(path, started_ns=0)
        log.copy(whole, without=[number])
        log.flush()
        return lost

    monkeypatch.setattr(adopted_run, "write_whole", lacking)
    with pytest.raises(Declined, match=f"does not read back as it was sent: .*{named}"):
        added(folder, OURS)
    assert log_of(folder).read_bytes() == before


def test_a_picture_that_is_not_there_as_it_was_sent_is_no_picture_that_was_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_of(tmp_path, recorded("lion", "loss"))
    before = log_of(folder).read_bytes()
    original = shutil.copyfile

    def cut(source: Path, target: Path) -> None:
        original(source, target)
        if source.suffix == ".png":
            target.write_bytes(b"")

    monkeypatch.setattr(adopted_run.shutil, "copyfile", cut)
    with pytest.raises(Declined, match=r"does not read back as it was sent: media/.*\.png"):
        added(folder, OURS)
    assert log_of(folder).read_bytes() == before


def test_what_another_user_adds_meanwhile_waits_and_no_entry_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_of(tmp_path, recorded("lion", "loss"))
    settings.install(settings.Settings(patience=0.0))
    original = adopted_run.AdoptedRun.note_added

    def meanwhile(adopted: adopted_run.AdoptedRun, uid: Uid, one: adopted_run.Added) -> None:
        monkeypatch.setattr(adopted_run.AdoptedRun, "note_added", original)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another user's"))
        with pytest.raises(Declined, match="another upload of this run"):
            added(folder, recorded("lynx", "f1"))
        original(adopted, uid, one)

    monkeypatch.setattr(adopted_run.AdoptedRun, "note_added", meanwhile)
    added(folder, OURS)
    added(folder, recorded("lynx", "f1"))
    assert len(adopted_run.AdoptedRun(folder).added()) == 2


@pytest.mark.parametrize("comes_back", ["as it was before", "as another's"])
def test_what_was_added_to_a_folder_that_was_removed_and_made_again_is_added_again(
    tmp_path: Path, comes_back: str
) -> None:
    folder = folder_of(tmp_path, recorded("lion", "loss"))
    before = Path(shutil.copytree(folder, tmp_path / "before"))
    archive = archive_of([OURS], tmp_path / "archive")
    place = Location("swanlab", str(folder))

    def pushed() -> object:
        (outcome,) = push(archive, place, allow=Fate.DROPPED).outcomes
        return outcome.status

    assert [pushed(), pushed()] == ["new", "unchanged"]
    shutil.rmtree(folder)
    if comes_back == "as another's":
        other = folder_of(tmp_path / "other", recorded("tiger", "loss"))
        log_of(other).rename(other / log_of(before).name)
        before = other
    shutil.copytree(before, folder)
    assert pushed() != "unchanged"
    assert pushed() == "unchanged"
    (run,) = runferry.load(f"swanlab:{folder.parent}")
    assert {series.key for series in run.series} >= {"loss", "acc"}


def test_a_folder_that_takes_nothing_more_names_one_that_does(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, recorded("lion", "loss"))
    adopted_home(folder).mkdir(parents=True)
    (adopted_home(folder) / NOTE).write_text(AdoptedNote("lion", "offline").text())
    log_of(folder).unlink()
    with pytest.raises(Refused) as refused:
        added(folder, OURS)
    assert f"swanlab:{folder.parent}" in str(refused.value.hint)
    assert "resume" not in str(refused.value.hint)  # nobody knows of a session here
