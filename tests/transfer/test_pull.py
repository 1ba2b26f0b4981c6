"""Pulling: incremental, interruptible, and fair to runs that share a key."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.transfer.roads import Curve, archive_of, archived, pull_from

from runferry import chunks
from runferry.archive.layout import blob_path
from runferry.archive.snapshots import INLINE_ROWS
from runferry.archive.store import Archive
from runferry.chunks import Chunk
from runferry.errors import NoSpace
from runferry.model import Blob, Cursor, Run
from runferry.ports import Location, ReadOptions
from runferry.testing.recording import Recording, Sample
from runferry.testing.reference import ReferenceReader, record
from runferry.testing.samples import all_samples, header, plain
from runferry.transfer.progress import StopToken
from runferry.transfer.pull import pull
from runferry.transfer.selection import Selection
from runferry.transfer.space import check_space


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive.open(tmp_path / "archive", create=True)


@pytest.mark.parametrize("lost", ["data", "blobs"])
def test_a_pull_reads_again_what_the_archive_has_lost(archive: Archive, lost: str) -> None:
    samples = list(all_samples(keys=5))
    source = record(samples, archive.path.parent / "source")
    assert not pull_from(source, archive).failures
    before = archived(archive)
    for path in [path for path in (archive.path / lost).rglob("*") if path.is_file()]:
        path.unlink()
    assert not pull_from(source, archive).failures
    assert archived(archive) == before
    assert all(archive.is_whole(found) for found in archive.records())


@pytest.mark.parametrize("rows", [3, 5])
def test_a_lost_table_of_many_series_is_healed_whether_the_run_grew_or_not(
    archive: Archive, rows: int
) -> None:
    keys = tuple(f"s{number}" for number in range(INLINE_ROWS + 1))
    folder = archive.path.parent / "source"
    pull_from(record([Curve().sample(3, keys=keys)], folder), archive)
    (kept,) = archive.records()
    (lost,) = kept.of("series")
    (archive.path / lost.path).unlink()
    ended = (3,) if rows > 3 else ()
    report = pull_from(record([Curve().sample(rows, ended=ended, keys=keys)], folder), archive)
    assert [outcome.error for outcome in report.failures] == []
    (healed,) = archive.records()
    assert archive.is_whole(healed)
    once = archive_of([Curve().sample(rows, keys=keys)], archive.path.parent / "once")
    assert archived(archive) == archived(once)


@pytest.mark.parametrize("which", ["curve", "curve~2"])
@pytest.mark.parametrize("lost", ["segment", "blob"])
def test_a_lost_file_of_either_of_two_runs_of_one_key_is_healed(
    tmp_path: Path, archive: Archive, which: str, lost: str
) -> None:
    places = []
    for number in range(2):
        sample = Curve().sample(25, at=100 * number)
        held = chunks.File("f", "other", Blob.from_bytes(b"%d" % number))
        places.append(tree(tmp_path / str(number), replace(sample, chunks=(held, *sample.chunks))))
        pull_from(places[-1], archive)
    before, told = archived(archive), [r.losses for r in archive.records()]
    (hurt,) = [r for r in archive.records() if r.run.key.run_id == which]
    if lost == "segment":
        (archive.path / hurt.of("points")[0].path).unlink()
    else:
        (row,) = archive.snapshot(hurt, "files")
        blob_path(archive.path, row["sha256"]).unlink()
    for place in places:
        assert not pull_from(place, archive).failures
    assert archived(archive) == before
    assert [r.losses for r in archive.records()] == told
    assert all(archive.is_whole(found) for found in archive.records())
    for place in places:
        assert pull_from(place, archive).counts == {"unchanged": 1}


@pytest.mark.parametrize("which", [0, 1])
def test_a_run_that_lost_rows_and_grew_elsewhere_is_healed(
    tmp_path: Path, archive: Archive, which: int
) -> None:
    pull_from(tree(tmp_path / "one", Curve().sample(25)), archive)
    (kept,) = archive.records()
    (archive.path / kept.segments[0].path).unlink()
    grown = tree(tmp_path / "two", Curve().sample(40, ended=(7,) if which else ()))
    assert not pull_from(grown, archive).failures
    assert archived(archive) == archived(archive_of([Curve().sample(40)], tmp_path / "once"))


class Watched(ReferenceReader):
    """Counts what is read, and may fail or be stopped on the way."""

    chunks_read = 0
    fails_at = -1
    error: BaseException = KeyboardInterrupt()
    stop: StopToken | None = None

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[Chunk]:
        for chunk in super().read(run, after):
            if Watched.chunks_read == Watched.fails_at:
                Watched.fails_at = -1
                if Watched.stop is None:
                    raise Watched.error
                Watched.stop.set()
            Watched.chunks_read += 1
            yield chunk


def watched(source: Location, archive: Archive, **options: Any) -> Any:
    Watched.chunks_read = 0
    return pull(
        source,
        archive,
        open_reader=lambda: Watched.open(source, ReadOptions()),
        reserve_bytes=0,
        **options,
    )


@pytest.fixture(autouse=True)
def _calm() -> None:
    Watched.fails_at, Watched.stop, Watched.error = -1, None, KeyboardInterrupt()


def test_a_second_pull_of_the_same_moves_nothing(tmp_path: Path, archive: Archive) -> None:
    source = record(all_samples(keys=20), tmp_path / "source")
    first = watched(source, archive)
    assert set(first.counts) == {"new"}
    before = {found.run.uid: repr(found) for found in archive.records()}
    second = watched(source, archive)
    assert second.counts == {"unchanged": len(before)}
    assert sum(outcome.rows for outcome in second.outcomes) == 0
    assert {found.run.uid: repr(found) for found in archive.records()} == before


def test_a_run_that_grew_is_read_from_where_the_last_pull_ended(
    tmp_path: Path, archive: Archive
) -> None:
    source = record([Curve().sample(25)], tmp_path / "source")
    watched(source, archive)
    record([Curve().sample(60, ended=(25,))], tmp_path / "source")
    report = watched(source, archive)
    assert report.counts == {"grown": 1}
    assert report.outcomes[0].rows == 70
    at_once = archive_of([Curve().sample(60, ended=(25,))], tmp_path / "once")
    assert archived(archive) == archived(at_once)
    assert {r.digest for r in archive.records()} == {r.digest for r in at_once.records()}


def test_series_stand_in_the_order_in_which_they_came(tmp_path: Path, archive: Archive) -> None:
    recording = Recording(header("growing")).log({"loss": 1.0}, step=0).checkpoint()
    pull_from(record([Sample(recording.run, recording.sample().chunks)], tmp_path / "s"), archive)
    recording.log({"LOSS": 2.0, "loss": 3.0}, step=1)
    pull_from(record([recording.sample()], tmp_path / "s"), archive)
    (found,) = archive.records()
    assert [series.key for series in archive.series(found)] == ["loss", "LOSS"]


def test_killed_at_every_chunk_then_pulled_again_equals_one_clean_pull(tmp_path: Path) -> None:
    source = record([Curve().sample(25), plain("other")], tmp_path / "source")
    clean = Archive.open(tmp_path / "clean", create=True)
    watched(source, clean)
    for at in range(Watched.chunks_read):
        archive = Archive.open(tmp_path / f"archive-{at}", create=True)
        Watched.fails_at = at
        with pytest.raises(KeyboardInterrupt):
            watched(source, archive)
        Watched.fails_at = -1
        watched(source, archive)
        assert archived(archive) == archived(clean)


def test_a_stop_leaves_no_half_run_and_the_next_pull_goes_on(
    tmp_path: Path, archive: Archive
) -> None:
    source = record([Curve().sample(25), plain("other")], tmp_path / "source")
    Watched.fails_at, Watched.stop = 2, StopToken()
    report = watched(source, archive, stop=Watched.stop)
    assert report.exit_code == 130
    assert list(archive.records()) == []
    Watched.fails_at = -1
    assert watched(source, archive).counts == {"new": 2}


def test_one_bad_run_does_not_end_the_rest(tmp_path: Path, archive: Archive) -> None:
    source = record([plain("a"), plain("b"), plain("c")], tmp_path / "source")
    Watched.fails_at, Watched.error = 3, RuntimeError("a bug in a reader")
    report = watched(source, archive)
    assert report.counts == {"failed": 1, "new": 2}
    assert "a bug in a reader" in (report.failures[0].error or "")
    assert report.exit_code == 4


@pytest.mark.parametrize("workers", [1, 3])
def test_workers_do_not_change_the_archive(tmp_path: Path, archive: Archive, workers: int) -> None:
    source = record(all_samples(keys=20), tmp_path / "source")
    assert set(watched(source, archive, workers=workers).counts) == {"new"}
    assert archived(archive) == archived(archive_of(all_samples(keys=20), tmp_path / "other"))


# --- the same key again ---------------------------------------------------------------------------


def tree(folder: Path, *samples: Any) -> Location:
    if folder.exists():
        shutil.rmtree(folder)
    return record(samples, folder)


def test_an_identical_copy_elsewhere_is_the_same_run(tmp_path: Path, archive: Archive) -> None:
    pull_from(tree(tmp_path / "one", Curve().sample(25)), archive)
    report = pull_from(tree(tmp_path / "two", Curve().sample(25, ended=(7,))), archive)
    assert report.counts == {"unchanged": 1}
    assert len(list(archive.records())) == 1


def test_content_that_extends_the_old_replaces_it(tmp_path: Path, archive: Archive) -> None:
    pull_from(tree(tmp_path / "one", Curve().sample(25)), archive)
    report = pull_from(tree(tmp_path / "two", Curve().sample(40)), archive)
    assert set(report.counts) <= {"replaced", "grown"}
    at_once = archive_of([Curve().sample(40)], tmp_path / "once")
    assert archived(archive) == archived(at_once)


def test_an_older_copy_changes_nothing_and_is_told(tmp_path: Path, archive: Archive) -> None:
    pull_from(tree(tmp_path / "one", Curve().sample(40)), archive)
    before = archived(archive)
    for _ in range(2):
        report = pull_from(tree(tmp_path / "two", Curve().sample(25)), archive)
        assert report.counts == {"unchanged": 1}
        assert [(x.code, x.fate.label) for x in report.losses] == [("older-source", "kept")]
        assert archived(archive) == before


def test_other_content_is_kept_as_a_second_run_and_reported(
    tmp_path: Path, archive: Archive
) -> None:
    one = tree(tmp_path / "one", Curve().sample(25))
    two = tree(tmp_path / "two", Curve().sample(25, at=100))
    pull_from(one, archive)
    report = pull_from(two, archive)
    assert report.counts == {"copied": 1}
    assert [(x.code, x.fate.label) for x in report.losses] == [("same-key", "renamed")]
    assert sorted(archived(archive)) == ["curve", "curve~2"]
    kept = archived(archive)
    for again in (one, two, one, two):
        assert pull_from(again, archive).counts == {"unchanged": 1}
    assert archived(archive) == kept


def test_each_of_two_runs_of_one_key_goes_on_by_itself(tmp_path: Path, archive: Archive) -> None:
    pull_from(tree(tmp_path / "one", Curve().sample(25)), archive)
    pull_from(tree(tmp_path / "two", Curve().sample(25, at=100)), archive)
    grown = tree(tmp_path / "two", Curve().sample(30, ended=(25,), at=100))
    assert pull_from(grown, archive).counts == {"grown": 1}
    rows = {run_id: len(held["rows"]["Points"]) for run_id, held in archived(archive).items()}
    assert rows == {"curve": 50, "curve~2": 60}


def test_a_third_content_becomes_a_third_run(tmp_path: Path, archive: Archive) -> None:
    for number in range(3):
        pull_from(tree(tmp_path / str(number), Curve().sample(25, at=number * 100)), archive)
    assert sorted(archived(archive)) == ["curve", "curve~2", "curve~3"]


def test_what_a_reader_told_apart_itself_stays_apart(tmp_path: Path, archive: Archive) -> None:
    first = Curve()
    second = Curve(replace(first.run, key=replace(first.run.key, run_id="curve~2")))
    both = tree(tmp_path / "one", first.sample(25), second.sample(25, at=100))
    assert pull_from(both, archive).counts == {"new": 2}
    only = tree(tmp_path / "two", first.sample(25, at=100))
    assert pull_from(only, archive).counts == {"unchanged": 1}
    assert pull_from(both, archive).counts == {"unchanged": 2}


# --- selection ------------------------------------------------------------------------------------


def test_only_the_chosen_series_are_pulled_and_another_choice_adds_to_them(
    tmp_path: Path, archive: Archive
) -> None:
    source = record([Curve().sample(25)], tmp_path / "source")
    report = pull_from(source, archive, selection=Selection(metrics=("loss",)))
    assert report.left_out_series == 1
    assert report.losses == ()
    record([Curve().sample(60, ended=(25,))], tmp_path / "source")
    again = pull_from(source, archive, selection=Selection(metrics=("acc",)))
    assert again.counts == {"replaced": 1}
    assert archived(archive) == archived(archive_of([Curve().sample(60)], tmp_path / "once"))
    for metrics in (("acc",), ("loss",)):
        after = pull_from(source, archive, selection=Selection(metrics=metrics))
        assert after.counts == {"unchanged": 1}


@pytest.mark.parametrize("globs", [("loss",), ("!acc",), ("nothing",)])
def test_a_choice_of_series_never_takes_away_what_is_archived(
    tmp_path: Path, archive: Archive, globs: tuple[str, ...]
) -> None:
    source = record([Curve().sample(25)], tmp_path / "source")
    pull_from(source, archive)
    before = archived(archive)
    some = Selection(metrics=globs)
    report = pull_from(source, archive, selection=some)
    assert report.counts == {"unchanged": 1}
    assert report.left_out_series == 0
    assert archived(archive) == before
    record([Curve().sample(60, ended=(25,))], tmp_path / "source")
    assert pull_from(source, archive, selection=some).counts == {"grown": 1}
    assert archived(archive) == archived(archive_of([Curve().sample(60)], tmp_path / "once"))


def test_another_choice_from_another_run_of_the_same_key_takes_nothing_away(
    tmp_path: Path, archive: Archive
) -> None:
    one = tree(tmp_path / "one", Curve().sample(25))
    pull_from(one, archive, selection=Selection(metrics=("loss",)))
    other = tree(tmp_path / "two", Curve().sample(25, at=100))
    report = pull_from(other, archive, selection=Selection(metrics=("acc",)))
    assert report.counts == {"copied": 1}
    series = {run_id: set(held["series"]) for run_id, held in archived(archive).items()}
    assert series == {"curve": {"loss"}, "curve~2": {"acc", "loss"}}


def test_runs_are_selected_by_their_headers(tmp_path: Path, archive: Archive) -> None:
    source = record([plain("a"), plain("b")], tmp_path / "source")
    assert pull_from(source, archive, selection=Selection(run_ids=("a",))).counts == {"new": 1}


def test_a_disk_without_room_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    record([plain("a")], tmp_path / "source")
    needed = r"the source may need [1-9][0-9.]* k?B, and 4611686\.0 TB are to stay free"
    with pytest.raises(NoSpace, match=needed):
        check_space(tmp_path / "not there yet", Location("x", str(tmp_path)), 2**62)
    assert not (tmp_path / "not there yet").exists()


@pytest.mark.parametrize(
    ("project", "words"), [("other", "no selected run in a project other"), ("nope", "no run")]
)
def test_a_project_is_not_said_to_have_no_run_when_only_the_tags_leave_it_out(
    archive: Archive, caplog: pytest.LogCaptureFixture, project: str, words: str
) -> None:
    runs = [header(name, project=name, tags=(f"of {name}",)) for name in ("one", "other")]
    source = record([Recording(run).sample() for run in runs], archive.path.parent / "source")
    tags = ("of one",) if project == "other" else ()
    asked = Selection(projects=("one", project), tags=tags)
    with caplog.at_level(logging.WARNING, "runferry"):
        assert not pull_from(source, archive, selection=asked).failures
    assert f": {words}" in caplog.text
