"""What people do to a folder of plain files: what counts, what is told, what is refused."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from tests.readers.plain_folders import WRITERS, folder_of, written

from runferry import api
from runferry.archive.store import Archive
from runferry.errors import Damaged, Refused, UnknownVersion
from runferry.losses import Fate
from runferry.model import Run
from runferry.ports import Location, ReadOptions
from runferry.readers.plain_folder import CsvFolderReader
from runferry.registry import reader as reader_class
from runferry.testing.content import Content
from runferry.testing.samples import curve, files, media, plain

SAMPLE = curve(20)


def read(where: Location) -> dict[str, Content]:
    reader = reader_class(where.tracker).open(where, ReadOptions())
    return {run.key.run_id: Content.of(reader.read(run)) for run in reader.runs()}


@pytest.fixture
def out(tmp_path: Path) -> Location:
    return written("csv", tmp_path / "out", [SAMPLE])


def test_a_changed_value_in_points_is_read_as_it_stands(out: Location) -> None:
    points = folder_of(out, SAMPLE) / "points.csv"
    lines = points.read_text().splitlines(keepends=True)
    cells = lines[1].split(",")
    cells[5] = "123.5"
    points.write_text("".join([lines[0], ",".join(cells), *lines[2:]]))
    (content,) = read(out).values()
    assert any("123.5" in str(line) for line in values_of(content))
    assert not content.losses


def values_of(content: Content) -> list[float]:
    import struct

    return [struct.unpack(">d", row[5])[0] for row in content.rows["Points"]]


def test_tables_for_people_change_nothing(out: Location) -> None:
    before = {key: content.comparable() for key, content in read(out).items()}
    (folder_of(out, SAMPLE) / "history.csv").write_text("step,mine\n1,2\n")
    (out.path / "runs.csv").unlink()
    assert {key: content.comparable() for key, content in read(out).items()} == before


def test_columns_may_be_moved_left_out_and_added(out: Location) -> None:
    path = folder_of(out, SAMPLE) / "points.csv"
    path.write_text("note,seq,value,key,kind\nmine,0,1.5,loss,float64\n,1,2.5,new one,float64\n")
    (content,) = read(out).values()
    assert values_of(content) == [1.5, 2.5]
    assert content.series["new one"].path == ("new one",)


def test_rows_and_files_that_are_gone_are_told(tmp_path: Path) -> None:
    where = written("csv", tmp_path / "out", [SAMPLE, files(), media()])
    (folder_of(where, SAMPLE) / "points.csv").unlink()
    (folder_of(where, files()) / "files/model.ckpt").unlink()
    shutil.rmtree(folder_of(where, media()) / "media" / "mesh")
    told = {key: content.losses for key, content in read(where).items()}
    (gone,) = told[SAMPLE.run.key.run_id]
    assert (gone.code, gone.fate, gone.count) == ("missing-rows", Fate.DROPPED, 60)
    assert [loss.where for loss in told["files"]] == ["files/model.ckpt"]
    assert [loss.code for loss in told["media"]] == ["missing-blob"]


@pytest.mark.parametrize("form", sorted(WRITERS))
def test_what_is_garbled_is_an_error_that_says_where(form: str, tmp_path: Path) -> None:
    where = written(form, tmp_path / "out", [SAMPLE])
    points = folder_of(where, SAMPLE) / f"points.{form}"
    points.write_bytes(points.read_bytes()[:900] + b'"\xff\xfe,,,{{' + os.urandom(300))
    with pytest.raises(Damaged) as caught:
        read(where)
    assert points.name in str(caught.value)
    assert caught.value.hint


def test_a_cell_that_is_no_number_is_an_error_that_names_it(out: Location) -> None:
    points = folder_of(out, SAMPLE) / "points.csv"
    points.write_text("key,value,kind,seq\nloss,lots,float64,0\n")
    with pytest.raises(Damaged, match="lots"):
        read(out)


@pytest.mark.parametrize("name", ["attributes.jsonl", "series.jsonl"])
def test_a_garbled_listing_is_an_error_that_names_the_line(out: Location, name: str) -> None:
    path = folder_of(out, SAMPLE) / name
    path.write_text(path.read_text() + "{half\n")
    with pytest.raises(Damaged, match="line"):
        read(out)


def test_a_garbled_header_costs_that_run_only(tmp_path: Path) -> None:
    where = written("csv", tmp_path / "out", [SAMPLE, plain()])
    (folder_of(where, SAMPLE) / "run.json").write_text("{")
    reader = CsvFolderReader.open(where, ReadOptions())
    told: dict[str | None, Run] = {run.name: run for run in reader.runs()}
    assert set(told) == {"(damaged)", "plain"}
    assert list(reader.read(told["plain"]))
    with pytest.raises(Damaged, match=r"run\.json"):
        list(reader.read(told["(damaged)"]))


def test_a_renamed_folder_is_the_same_run_and_a_copied_one_another(out: Location) -> None:
    folder = folder_of(out, SAMPLE)
    shutil.copytree(folder, folder.with_name("a copy"))
    folder.rename(folder.with_name("the best"))
    first, second = read(out)
    assert {first, second} == {SAMPLE.run.key.run_id, f"{SAMPLE.run.key.run_id}~2"}
    written("csv", out.path, [SAMPLE])
    assert sorted(path.name for path in (out.path / "runs").iterdir()) == ["a copy", "the best"]


def test_a_run_without_its_header_is_no_run(out: Location) -> None:
    (folder_of(out, SAMPLE) / "run.json").unlink()
    assert not read(out)


def test_names_of_files_in_the_listing_lead_nowhere_else(tmp_path: Path) -> None:
    where = written("csv", tmp_path / "out", [files()])
    secret = tmp_path / "secret"
    secret.write_text("secret")
    listing = folder_of(where, files()) / "files.jsonl"
    lines = [json.loads(line) for line in listing.read_text(encoding="utf-8").splitlines()]
    lines[0]["file"], lines[1]["file"] = "../../../secret", str(secret)
    listing.write_text("".join(json.dumps(line) + "\n" for line in lines))
    (content,) = read(where).values()
    assert [loss.code for loss in content.losses] == ["missing-blob"] * 2


def test_a_folder_of_another_form_or_of_somebody_else_is_refused(
    out: Location, tmp_path: Path
) -> None:
    with pytest.raises(Refused, match="as csv, not as parquet"):
        WRITERS["parquet"].open(Location("parquet", out.where))
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "thesis.csv").write_text("")
    with pytest.raises(Refused, match="other things"):
        WRITERS["csv"].open(Location("csv", str(tmp_path)))


def test_a_later_version_is_refused_by_name(out: Location) -> None:
    mark = out.path / "runferry.json"
    mark.write_text(mark.read_text().replace('"version": 1', '"version": 7'))
    with pytest.raises(UnknownVersion, match="version 7"):
        CsvFolderReader.open(out, ReadOptions())


def test_a_folder_is_recognised_by_its_mark(out: Location, tmp_path: Path) -> None:
    api.convert(out.where, tmp_path / "archive")
    archive = Archive.open(tmp_path / "archive")
    assert [run.key for run in archive.headers()] == [SAMPLE.run.key]


def test_a_run_that_changed_its_name_stays_where_it_is(tmp_path: Path) -> None:
    from dataclasses import replace

    where = written("csv", tmp_path / "out", [plain()])
    folder = folder_of(where, plain())
    again = replace(plain(), run=replace(plain().run, name="another name"))
    written("csv", where.path, [again])
    assert [path.name for path in (where.path / "runs").iterdir()] == [folder.name]
    assert "another name" in (where.path / "runs.csv").read_text()
