"""Folders that are no archive of this version, or not whole: refused by name, with the way on."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.archive.runs import archived, batch_of, counted_rows, points_in, run_named

from runferry.archive.store import Archive
from runferry.chunks import Points
from runferry.errors import Corrupt, NewerFormat, NotFound, OlderFormat
from runferry.live.backends import places
from runferry.live.layout import HOME
from runferry.locations import locate
from runferry.model import Uid
from runferry.settings import Settings


def test_a_damaged_file_is_named(archive: Archive) -> None:
    record = archived(archive, run_named("r"), [Points(batch_of(counted_rows(50)))])
    path = archive.path / record.segments[0].path
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(Corrupt, match=path.name):
        points_in(archive, record)
    path.write_bytes(whole[:40] + bytes([whole[40] ^ 1]) + whole[41:])
    with pytest.raises(Corrupt, match=path.name):
        archive.check(record)
    path.unlink()
    with pytest.raises(Corrupt, match=path.name):
        points_in(archive, record)
    commit = next((archive.path / "commits").rglob("*.json"))
    commit.write_text('{"commit_version": 1}')
    with pytest.raises(Corrupt, match=commit.name):
        archive.record(record.run.uid)


@pytest.mark.parametrize(
    "path", ["../../etc/passwd", "/etc/passwd", "data/run=x/points-1-a.parquet"]
)
def test_a_commit_that_points_elsewhere_is_refused(archive: Archive, path: str) -> None:
    record = archived(archive, run_named("r"), [Points(batch_of(counted_rows(5)))])
    commit = next((archive.path / "commits").rglob("*.json"))
    commit.write_text(commit.read_text().replace(record.segments[0].path, path))
    with pytest.raises(Corrupt, match="no segment of run"):
        archive.record(record.run.uid)


def test_what_is_no_uid_never_becomes_a_path(archive: Archive) -> None:
    for uid in ("../x", "A" * 32, "0" * 31, ""):
        with pytest.raises(Corrupt):
            archive.record(Uid(uid))


def test_an_earlier_archive_is_refused_with_both_versions_and_the_way_on(archive: Archive) -> None:
    archived(archive, run_named("r"), [])
    manifest = archive.path / "archive.json"
    manifest.write_text(manifest.read_text().replace('"version": 2', '"version": 1'))
    for create in (False, True):
        with pytest.raises(OlderFormat, match="version 1; this runferry reads 2") as refused:
            Archive.open(archive.path, create=create)
        assert refused.value.hint == f"runferry upgrade {archive.path}"


def test_a_newer_or_strange_archive_is_refused_by_name(archive: Archive, tmp_path: Path) -> None:
    record = archived(archive, run_named("r"), [])
    commit = next((archive.path / "commits").rglob("*.json"))
    commit.write_text(commit.read_text().replace('"commit_version":1', '"commit_version":9'))
    with pytest.raises(NewerFormat, match="9"):
        archive.record(record.run.uid)
    manifest = archive.path / "archive.json"
    manifest.write_text('{"format": "runferry-archive", "version": 3}')
    with pytest.raises(NewerFormat, match="3"):
        Archive.open(archive.path)
    manifest.write_text("{}")
    with pytest.raises(Corrupt):
        Archive.open(archive.path)
    with pytest.raises(NotFound):
        Archive.open(tmp_path / "nothing")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("")
    with pytest.raises(NotFound):
        Archive.open(tmp_path / "other", create=True)


def test_runs_can_be_converted_where_others_were_mirrored(tmp_path: Path) -> None:
    """Both keep theirs in one folder of the working directory, if nobody says otherwise."""
    (mirrored,) = places("archive", project="p")
    for beside in (HOME / "a-session", Path(locate(mirrored, role="destination").where)):
        (tmp_path / beside).mkdir(parents=True)
    archive = tmp_path / Settings().archive
    archived(Archive.open(archive, create=True, reserve=0), run_named("r"), [])
    assert [run.name for run in Archive.open(archive).headers()] == ["r"]
    (archive / "thesis.tex").write_text("")
    (archive / "archive.json").unlink()
    with pytest.raises(NotFound):
        Archive.open(archive, create=True)


def test_an_unused_archive_is_taken_away_from_beside_mirrored_runs_and_they_stay(
    tmp_path: Path,
) -> None:
    session, empty = (tmp_path / HOME / name for name in ("a-session", "begins-now"))
    for folder in (session, empty):
        folder.mkdir(parents=True)
    (session / "rounds").write_text("")
    Archive.open(tmp_path / Settings().archive, create=True, reserve=0).remove_unused()
    assert not (tmp_path / Settings().archive / "archive.json").exists()
    assert (session / "rounds").exists()
    (session / "rounds").unlink()
    Archive.open(tmp_path / Settings().archive, create=True, reserve=0).remove_unused()
    assert empty.is_dir()
