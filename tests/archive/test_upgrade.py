"""An archive of an earlier format becomes one of today, as if it had been pulled today."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.archive.committed import commits, records
from tests.archive.version_1 import make_version_1
from tests.transfer.roads import archive_of, place, pull_from, push_to

from runferry.archive import catalog
from runferry.archive.origins import Origins
from runferry.archive.record import DamagedRun, RunRecord, record_from_bytes, record_to_bytes
from runferry.archive.store import Archive
from runferry.archive.upgrade import upgrade
from runferry.errors import Corrupt, Locked, NewerFormat, NotFound, OlderFormat
from runferry.model import Run, Uid
from runferry.testing.samples import all_samples, plain


class Watch:
    """Counts, and ends the work after so many runs."""

    def __init__(self, most: int = 1_000) -> None:
        self.runs: list[Run] = []
        self._most = most

    def __call__(self, run: Run, rows: int) -> bool:
        self.runs.append(run)
        return len(self.runs) < self._most


def damaged_and_sound(
    ask: Callable[[list[DamagedRun]], Iterable[RunRecord]],
) -> tuple[list[DamagedRun], list[RunRecord]]:
    damaged: list[DamagedRun] = []
    sound = list(ask(damaged))
    return damaged, sound


def as_told(damaged: list[DamagedRun]) -> list[tuple[Uid, str]]:
    return [(run.uid, str(run.error)) for run in damaged]


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.parent.name not in ("upgrade", "locks")
    }


@pytest.fixture(scope="module")
def young(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of today with every kind of row, of which all was pushed, and its source."""
    folder = tmp_path_factory.mktemp("young")
    archive = archive_of(all_samples(keys=20), folder)
    assert push_to(archive, folder / "there").failures == ()
    archive.ledger.close()
    return folder


@pytest.fixture
def old(young: Path, tmp_path: Path) -> Iterator[Path]:
    """The same as version 1 left it: where it was pushed to is still at its old place."""
    folder = tmp_path / "archive"
    shutil.copytree(young / "archive", folder)
    make_version_1(folder)
    return folder


def test_an_upgraded_archive_equals_one_that_was_pulled_today(young: Path, old: Path) -> None:
    with pytest.raises(OlderFormat) as refused:
        Archive.open(old)
    assert refused.value.hint == f"runferry upgrade {old}"
    was = commits(young / "archive")
    upgraded = upgrade(old, Watch())
    assert (upgraded.before, upgraded.version, upgraded.runs) == (1, 2, len(was))
    assert upgraded.damaged == ()
    assert commits(old) == was
    assert not (old / "upgrade").exists()
    for record in Archive.open(old).records():
        Archive.open(old).check(record)


def test_what_version_1_wrote_is_not_what_is_written_today(young: Path, old: Path) -> None:
    """Else the law above would hold of an upgrade that does nothing."""
    (old / "archive.json").write_text('{"format": "runferry-archive", "version": 2}\n')
    now, then = records(young / "archive"), records(old)
    for uid, record in now.items():
        assert then[uid].digest != record.digest
        for table, total in record.sums.items():
            assert then[uid].sums[table].rows == total.rows
            assert then[uid].sums[table].hash != total.hash, table


def test_what_was_pushed_before_the_upgrade_is_not_sent_again(young: Path, old: Path) -> None:
    upgrade(old, Watch())
    archive = Archive.open(old)
    again = push_to(archive, young / "there")
    assert set(again.counts) == {"unchanged"}
    archive.ledger.close()


def test_a_pull_goes_on_in_an_upgraded_archive(young: Path, old: Path) -> None:
    upgrade(old, Watch())
    again = pull_from(place(young / "source"), Archive.open(old))
    assert set(again.counts) == {"unchanged"}


def test_an_archive_of_today_is_left_as_it_is(young: Path) -> None:
    before = files_of(young / "archive")
    upgraded = upgrade(young / "archive", Watch())
    assert (upgraded.before, upgraded.version, upgraded.runs) == (2, 2, 0)
    assert files_of(young / "archive") == before


def test_an_upgrade_that_was_ended_leaves_version_1_and_goes_on_later(
    old: Path, young: Path
) -> None:
    before = files_of(old)
    first = upgrade(old, Watch(3))
    assert first.is_interrupted
    assert (first.version, first.runs) == (1, 3)
    assert files_of(old) == before
    made = {path.name: path.stat().st_ino for path in (old / "upgrade").iterdir()}
    assert len(made) == 3
    upgrade(old, Watch(4))
    assert made.items() <= {p.name: p.stat().st_ino for p in (old / "upgrade").iterdir()}.items()
    assert not upgrade(old, Watch()).is_interrupted
    assert commits(old) == commits(young / "archive")


def test_a_run_that_changed_between_two_calls_is_made_anew(old: Path, young: Path) -> None:
    upgrade(old, Watch(3))
    uid = sorted(path.name for path in (old / "upgrade").iterdir())[0].partition("-")[0]
    commit = old / "commits" / uid[:2] / f"{uid}.json"
    commit.write_text(commit.read_text().replace('"token":""', '"token":"of another push"', 1))
    commit.write_text(commit.read_text().replace('"token": ""', '"token": "of another push"', 1))
    upgrade(old, Watch())
    assert records(old)[Uid(uid)].token == "of another push"


def test_damaged_runs_are_named_and_stay_and_the_others_are_upgraded(
    old: Path, young: Path
) -> None:
    was = records(young / "archive")
    with_files = [uid for uid, record in was.items() if record.segments]
    cut = old / was[with_files[0]].segments[0].path
    cut.write_bytes(cut.read_bytes()[:-1])
    garbled = old / "commits" / with_files[1][:2] / f"{with_files[1]}.json"
    garbled.write_text("{")
    upgraded = upgrade(old, Watch())
    assert {run.uid for run in upgraded.damaged} == set(with_files[:2])
    assert upgraded.version == 2
    assert garbled.read_text() == "{"
    archive, damaged = Archive.open(old), []
    left = {record.run.uid: record.digest for record in archive.records(damaged)}
    assert left == {uid: was[uid].digest for uid in was if uid not in with_files[:2]}
    assert {run.uid for run in damaged} == set(with_files[:2])


@pytest.fixture
def cut(old: Path, young: Path) -> tuple[Path, bytes]:
    """A file that two bytes were lost of before an upgrade left its run, and what it was."""
    was = records(young / "archive")
    file = next(old / r.segments[0].path for r in was.values() if r.segments)
    whole = file.read_bytes()
    file.write_bytes(whole[:-2])
    assert len(upgrade(old, Watch()).damaged) == 1
    return file, whole


def test_a_run_that_was_left_is_told_of_until_its_files_are_back(
    old: Path, young: Path, cut: tuple[Path, bytes]
) -> None:
    for _ in range(2):
        again = upgrade(old, Watch())
        assert (again.before, again.version, again.runs, len(again.damaged)) == (2, 2, 0, 1)
        with pytest.raises(Corrupt, match="could not read this run, and left it at version 1"):
            records(old)
    file, whole = cut
    file.write_bytes(whole)
    mended = upgrade(old, Watch())
    assert (mended.runs, mended.damaged) == (1, ())
    assert commits(old) == commits(young / "archive")
    assert (old / "archive.json").read_text() == (young / "archive/archive.json").read_text()
    assert upgrade(old, Watch()).runs == 0
    archive = Archive.open(old)
    assert set(push_to(archive, young / "there").counts) == {"unchanged"}
    archive.ledger.close()


def test_runs_that_were_left_are_brought_along_until_the_work_is_ended(
    old: Path, young: Path
) -> None:
    found = sorted((old / "data").rglob("*.parquet"))
    whole = {path: path.read_bytes() for path in found}
    for path in found:
        path.write_bytes(b"")
    left = len(upgrade(old, Watch()).damaged)
    assert left > 3
    for path, content in whole.items():
        path.write_bytes(content)
    first = upgrade(old, Watch(2))
    assert first.is_interrupted
    assert (first.version, first.runs, first.damaged) == (2, 2, ())
    rest = upgrade(old, Watch())
    assert (rest.runs, rest.is_interrupted) == (left - 2, False)
    assert commits(old) == commits(young / "archive")


def test_the_catalog_has_the_records_and_names_the_runs_that_cannot_be_read(
    old: Path, cut: tuple[Path, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "_WORTH_WRITING", 1)
    archive = Archive.open(old)
    (left,) = (run.uid for run in damaged_and_sound(archive.records)[0])
    commits_of = sorted(old.glob("commits/*/[!.]*.json"))
    garbled, unreadable, *_ = (commit for commit in commits_of if commit.stem != left)
    garbled.write_text("{")
    unreadable.unlink()
    unreadable.mkdir()
    for _ in ("read from the files", "read from what was kept of them"):
        damaged, sound = damaged_and_sound(catalog.Catalog(archive).records)
        one_by_one = damaged_and_sound(archive.records)
        assert as_told(damaged) == as_told(one_by_one[0])
        assert [*map(record_to_bytes, sound)] == [*map(record_to_bytes, one_by_one[1])]
        assert {run.uid for run in damaged} == {left, garbled.stem, unreadable.stem}
    with archive.sql() as connection:
        assert set(connection.sql("SELECT uid FROM damaged").fetchall()) == {
            (run.uid,) for run in damaged
        }
        asked = "SELECT uid FROM runs UNION SELECT uid FROM points"
        assert {uid for (uid,) in connection.sql(asked).fetchall()} == {r.run.uid for r in sound}


def test_a_mark_of_a_run_that_was_left_is_no_mark(old: Path, cut: tuple[Path, bytes]) -> None:
    archive = Archive.open(old)
    (left,) = damaged_and_sound(archive.records)[0]
    commit = old / "commits" / left.uid[:2] / f"{left.uid}.json"
    record = record_from_bytes(commit.read_bytes(), left.uid, "")
    marked = replace(record, run=replace(record.run, origin_uid=Uid("f" * 32)))
    commit.write_bytes(record_to_bytes(marked))
    assert Origins(Archive.open(old)).find(Uid("f" * 32)) == left.uid  # it was pulled anew
    stated = json.loads((old / "archive.json").read_text())
    stated["left"][left.uid][1] = hashlib.sha256(commit.read_bytes()).hexdigest()
    (old / "archive.json").write_text(json.dumps(stated))
    assert Origins(Archive.open(old)).find(Uid("f" * 32)) is None


def test_a_run_that_was_left_can_be_pulled_anew(
    old: Path, young: Path, cut: tuple[Path, bytes]
) -> None:
    damaged: list[DamagedRun] = []
    list(Archive.open(old).records(damaged))
    uid = damaged[0].uid
    (old / "commits" / uid[:2] / f"{uid}.json").unlink()
    assert pull_from(place(young / "source"), Archive.open(old)).failures == ()
    assert commits(old).keys() == commits(young / "archive").keys()
    assert upgrade(old, Watch()).damaged == ()
    assert "left" not in (old / "archive.json").read_text()


def test_nothing_is_upgraded_while_somebody_writes(old: Path) -> None:
    before = files_of(old)
    lock = Archive(old).run_lock(plain().run.uid)
    lock.acquire()
    with pytest.raises(Locked, match=plain().run.uid):
        upgrade(old, Watch())
    lock.release()
    assert files_of(old) == before


def test_what_is_newer_or_no_archive_is_refused(old: Path, tmp_path: Path) -> None:
    (old / "archive.json").write_text('{"format": "runferry-archive", "version": 3}')
    with pytest.raises(NewerFormat):
        upgrade(old, Watch())
    with pytest.raises(NotFound):
        upgrade(tmp_path, Watch())
