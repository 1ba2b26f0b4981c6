"""The readers of any table: `csv`, `parquet` and `jsonl`, their columns named by the user."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from plain_tables import (
    Rows,
    all_held,
    csv_file,
    curve,
    held,
    named,
    one_held,
    opened,
    write_csv,
    write_jsonl,
    write_parquet,
)

from runferry import chunks
from runferry.archive.store import Archive
from runferry.errors import BadLocation, Damaged, ExitCode, NotFound, RunferryError, SourceError
from runferry.losses import Fate
from runferry.ports import Location, Reader
from runferry.readers.csv_tables import CsvReader
from runferry.readers.jsonl_tables import JsonLinesReader
from runferry.readers.parquet_tables import ParquetReader
from runferry.readers.tabular import csv_table
from runferry.testing.reader_contract import ReaderContract
from runferry.transfer.pull import pull


class TestCsv(ReaderContract):
    reader = CsvReader

    @pytest.fixture
    def source(self, tmp_path: Path) -> Location:
        home = tmp_path / "tables"
        write_csv(home / "a.csv", curve(30))
        path = write_csv(home / "b" / "odd.csv", curve(5))
        path.write_bytes(path.read_bytes() + b"7\n8,0.5,caf\xe9\n\0,\0,\0\n9,0.25,whole\n10,0.2")
        csv_file(home / "c.tsv", [["epoch", "x"], [0, 1], [1, "text"]], delimiter="\t")
        return Location("csv", str(home))

    def grow(self, source: Location) -> None:
        with (source.path / "a.csv").open("a") as stream:
            stream.write('30,0.5,"two\nlines"\n31,,\n')

    @classmethod
    def sized(cls, folder: Path, rows: int) -> Location:
        wide = [{f"m{n}": step / 7 + n for n in range(50)} for step in range(rows // 50)]
        write_csv(folder / "a.csv", wide)
        return Location("csv", str(folder))


EACH = [
    pytest.param(CsvReader, write_csv, "t.csv", id="csv"),
    pytest.param(JsonLinesReader, write_jsonl, "t.jsonl", id="jsonl"),
    pytest.param(ParquetReader, write_parquet, "t.parquet", id="parquet"),
]
each = pytest.mark.parametrize(("reader", "write", "name"), EACH)
Write = Callable[[Path, Rows], Path]


@each
def test_a_well_known_step_is_taken_and_told(
    tmp_path: Path, reader: type[Reader], write: Write, name: str
) -> None:
    rows = [{"epoch": n // 2, "global_step": 10 * n, "loss": 0.5} for n in range(3)]
    found = one_held(reader, write(tmp_path / name, rows))
    assert found.steps("loss") == [0, 10, 20]
    assert "epoch" in found.series
    assert "global_step" not in found.series
    (loss,) = found.losses
    assert (loss.code, loss.fate) == ("guessed-step", Fate.KEPT)
    assert "global_step" in loss.detail


@each
def test_named_columns_are_step_and_time(
    tmp_path: Path, reader: type[Reader], write: Write, name: str
) -> None:
    rows = [{"step": 7, "i": n, "at": 1.7e9 + n / 4, "loss": 0.5} for n in range(3)]
    found = one_held(reader, write(tmp_path / name, rows), named(step="i", time="at"))
    assert found.steps("loss") == [0, 1, 2]
    assert found.values("step") == [7.0] * 3
    began = datetime.fromtimestamp(1.7e9, UTC)
    assert [row["time"] - began for row in found.points["loss"]] == [
        timedelta(milliseconds=250 * n) for n in range(3)
    ]
    assert not found.losses


@each
def test_without_a_step_there_is_none(
    tmp_path: Path, reader: type[Reader], write: Write, name: str
) -> None:
    found = one_held(reader, write(tmp_path / name, [{"loss": 0.5}, {"loss": 0.25}]))
    assert found.steps("loss") == [None, None]
    assert [row["seq"] for row in found.points["loss"]] == [0, 1]
    assert found.codes() == {"guessed-step": 1}


@each
def test_a_column_that_is_not_there_is_an_error_that_names_those_there_are(
    tmp_path: Path, reader: type[Reader], write: Write, name: str
) -> None:
    path = write(tmp_path / name, curve(2))
    with pytest.raises(BadLocation, match="'iter'") as caught:
        opened(reader, path, named(step="iter"))
    assert "step, loss, note" in caught.value.hint
    assert caught.value.exit_code == ExitCode.USAGE


@each
def test_a_column_tells_runs_apart(
    tmp_path: Path, reader: type[Reader], write: Write, name: str
) -> None:
    rows = [{"run": f"r{n % 2}", "step": n, "loss": n / 2} for n in range(5)]
    first, second = all_held(reader, write(tmp_path / name, rows), named(run="run"))
    assert (first.run.name, second.run.name) == ("r0", "r1")
    assert first.steps("loss") == [0, 2, 4]
    assert second.values("loss") == [0.5, 1.5]
    assert [row["seq"] for row in second.points["loss"]] == [1, 3]
    assert set(first.series) == {"loss"}


def test_names_of_runs_are_told_apart_as_they_are_written(tmp_path: Path) -> None:
    rows = [["run", "loss"], ["1.1", 1], ["1.10", 2], ["007", 3], ["7", 4], ["1e2", 5], [" 7", 6]]
    found = all_held(CsvReader, csv_file(tmp_path / "t.csv", rows), named(run="run"))
    assert {one.run.name: one.values("loss") for one in found} == {
        "1.1": [1], "1.10": [2], "007": [3], "7": [4, 6], "1e2": [5],
    }  # fmt: skip


def test_rows_that_name_no_run_are_told(tmp_path: Path) -> None:
    rows = [["run", "loss"], ["a", 1], ["", 2], [3, 3], ["", 4]]
    found = all_held(CsvReader, csv_file(tmp_path / "t.csv", rows), named(run="run"))
    assert [(one.run.name, one.values("loss")) for one in found] == [("a", [1]), ("3", [3])]
    assert [one.codes()["row-without-run"] for one in found] == [2, 2]


@each
def test_a_folder_holds_a_run_a_file(
    tmp_path: Path, reader: type[Reader], write: Write, name: str
) -> None:
    write(tmp_path / "b" / name, curve(2))
    write(tmp_path / "a" / name, curve(3))
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / name).write_bytes(b"")
    assert [found.run.name for found in all_held(reader, tmp_path)] == [f"a/{name}", f"b/{name}"]
    assert reader.recognises(tmp_path / "a" / name)
    assert not reader.recognises(tmp_path)


@each
def test_a_pointer_of_git_lfs_is_named(
    tmp_path: Path, reader: type[Reader], write: Write, name: str
) -> None:
    write(tmp_path / "a" / name, curve(2))
    path = tmp_path / name
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    with pytest.raises(NotFound, match="LFS") as caught:
        opened(reader, path)
    assert caught.value.hint == "git lfs pull"
    pointer, _ = all_held(reader, tmp_path)
    assert [(loss.code, loss.fate) for loss in pointer.losses] == [
        ("git-lfs-pointer", Fate.DROPPED)
    ]


@each
def test_a_file_that_is_no_table_fails_alone(
    tmp_path: Path, reader: type[Reader], write: Write, name: str
) -> None:
    write(tmp_path / "a" / name, curve(2))
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / name).write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    with pytest.raises(Damaged) as caught:
        opened(reader, tmp_path / "b" / name)
    assert caught.value.hint
    source = opened(reader, tmp_path)
    good, bad = source.runs()
    assert held(source, good).steps("loss") == [0, 1]
    with pytest.raises(Damaged):
        held(source, bad)


@each
@pytest.mark.usefixtures("modes_hold")
def test_a_file_that_is_closed_fails_alone(
    tmp_path: Path, reader: type[Reader], write: Write, name: str
) -> None:
    write(tmp_path / "a" / name, curve(2))
    shut = write(tmp_path / "b" / name, curve(2))
    shut.chmod(0)
    source = opened(reader, tmp_path)
    good, bad = source.runs()
    assert held(source, good).steps("loss") == [0, 1]
    with pytest.raises(SourceError, match="cannot be read"):
        held(source, bad)
    with pytest.raises(SourceError, match="cannot be read"):
        opened(reader, shut)


def test_a_file_that_goes_while_its_folder_is_looked_through_fails_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("gone.csv", "there.csv"):
        (tmp_path / name).write_text("step,loss\n0,1.5\n")
    table = CsvReader.table

    def gone(reader: CsvReader, path: Path, label: str) -> object:
        if path.name == "gone.csv":
            path.unlink()
        return table(reader, path, label)

    monkeypatch.setattr(CsvReader, "table", gone)
    source = opened(CsvReader, tmp_path)
    bad, good = source.runs()
    assert held(source, good).steps("loss") == [0]
    with pytest.raises(SourceError, match="No such file"):
        held(source, bad)


def test_a_line_that_never_ends_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_table, "_LINE_AT_MOST", 5000)
    path = tmp_path / "t"
    path.write_bytes(b"a,b\n1,2\n" + b"[" * (2 << 20))
    with pytest.raises(Damaged, match="a line of more than 5,000 bytes") as caught:
        all_held(CsvReader, path)
    assert str(path) in caught.value.hint


@each
def test_a_pull_of_an_unchanged_file_brings_nothing_new(
    tmp_path: Path, reader: type[Reader], write: Write, name: str
) -> None:
    write(tmp_path / "t" / name, curve(5))
    archive = Archive.open(tmp_path / "archive", create=True)
    where = Location(reader.name, str(tmp_path / "t"))
    for _ in range(2):
        assert not pull(where, archive, reserve_bytes=0).failures
    (record,) = archive.records()
    assert record.generation == 1
    assert archive.inventory(record).rows == {"scalar": 5, "text": 5}


def test_numbers_are_points_and_texts_are_texts_of_the_same_key(tmp_path: Path) -> None:
    rows = [{"step": 0, "loss": 0.5}, {"step": 1, "loss": "diverged"}, {"step": 2, "loss": 0.25}]
    found = one_held(CsvReader, write_csv(tmp_path / "t.csv", rows))
    assert found.cells() == {(0, "loss"): 0.5, (1, "loss"): "diverged", (2, "loss"): 0.25}
    assert found.series["loss"].kind == "scalar"


def test_numbers_that_columns_cannot_hold_keep_their_text(tmp_path: Path) -> None:
    rows = [{"step": 0, "a": "1e400", "b": 2**64}, {"step": 1, "a": "1,5", "b": 1}]
    found = one_held(CsvReader, write_csv(tmp_path / "t.csv", rows))
    assert [row["text"] for row in found.texts["a"]] == ["1e400", "1,5"]
    (large,) = found.texts["b"]
    assert (large["text"], large["form"]) == (str(2**64), "json")
    told = {(loss.code, loss.where): loss.fate for loss in found.losses}
    assert told["number-beyond-double", "a"] == Fate.REENCODED
    assert told["decimal-comma", "a"] == Fate.KEPT


def test_a_batch_names_only_keys_that_have_rows(tmp_path: Path) -> None:
    rows = [["step", "at", "a", "b"], [0, 1.7e9, "", 1]]
    reader = opened(CsvReader, csv_file(tmp_path / "t.csv", rows), named(time="at"))
    (run,) = reader.runs()
    batches = [chunk.batch for chunk in reader.read(run) if isinstance(chunk, chunks.Points)]
    assert [batch.column("key").dictionary.to_pylist() for batch in batches] == [["b"]]


def test_columns_without_a_value_are_told_together(tmp_path: Path) -> None:
    rows = [["step", "a", "b", "c"], [0, "", "", 1]]
    found = one_held(CsvReader, csv_file(tmp_path / "t.csv", rows))
    (loss,) = [loss for loss in found.losses if loss.code == "empty-column"]
    assert (loss.count, loss.fate) == (2, Fate.KEPT)
    assert "a, b" in loss.detail


def pulled(path: Path, archive: Archive) -> list[list[float]]:
    """The values of every run that an archive has after a pull, by its key."""
    assert not pull(Location("csv", str(path)), archive, reserve_bytes=0).failures
    found = sorted(archive.records(), key=lambda record: record.run.key.run_id)
    return [
        [
            value
            for chunk in archive.chunks(record)
            if isinstance(chunk, chunks.Points)
            for value in chunk.batch.column("value").to_pylist()
        ]
        for record in found
    ]


def test_an_export_whose_last_line_gets_its_break_stays_one_run(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    archive = Archive.open(tmp_path / "archive", create=True)
    path.write_text("step,loss\n0,0.5\n1,0.25")
    for _ in range(2):
        assert pulled(path, archive) == [[0.5, 0.25]]
    path.write_text("step,loss\n0,0.5\n1,0.25\n2,0.125\n")
    assert pulled(path, archive) == [[0.5, 0.25, 0.125]]


def test_a_column_without_a_value_is_told_once_however_often_the_file_grows(
    tmp_path: Path,
) -> None:
    path = tmp_path / "t.csv"
    archive = Archive.open(tmp_path / "archive", create=True)
    path.write_text("step,loss,none\n0,0.5,\n")
    for step in range(1, 4):
        pulled(path, archive)
        with path.open("a") as stream:
            stream.write(f"{step},0.5,\n")
    (record,) = archive.records()
    told = [(loss.count, loss.detail) for loss in record.losses if loss.code == "empty-column"]
    assert told == [(1, "columns without a value: none")]


def test_a_last_row_that_was_cut_after_all_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    archive = Archive.open(tmp_path / "archive", create=True)
    path.write_text("step,loss\n0,0.5\n1,0.2")
    assert pulled(path, archive) == [[0.5, 0.2]]
    path.write_text("step,loss\n0,0.5\n1,0.25\n2,0.125\n")
    for _ in range(2):
        assert pulled(path, archive) == [[0.5, 0.2], [0.5, 0.25, 0.125]]


@pytest.mark.parametrize("reader", [CsvReader, JsonLinesReader])
def test_an_integer_beyond_64_bits_is_a_text_and_the_rest_stays(
    tmp_path: Path, reader: type[Reader]
) -> None:
    rows = [{"step": 0, "a": 2**63 - 1}, {"step": 1, "a": 2**63}]
    write, name = (write_csv, "t.csv") if reader is CsvReader else (write_jsonl, "t.jsonl")
    found = one_held(reader, write(tmp_path / name, rows))
    assert [row["value_i64"] for row in found.points["a"]] == [2**63 - 1]
    assert [(row["text"], row["form"]) for row in found.texts["a"]] == [(str(2**63), "json")]
    assert found.codes()["large-integer"] == 1


@pytest.mark.parametrize("reader", [CsvReader, JsonLinesReader, ParquetReader])
def test_an_empty_folder_is_no_source(tmp_path: Path, reader: type[Reader]) -> None:
    with pytest.raises(RunferryError) as caught:
        list(opened(reader, tmp_path).runs())
    assert "name a" in caught.value.hint
