"""Several runs in one table: each is read where it has rows, and is what it would be alone."""

from __future__ import annotations

import io
import pickle
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from plain_tables import held, opened, write_csv, write_jsonl, write_parquet

from runferry.ports import PortableReader, Reader, ReadOptions, TableColumns
from runferry.readers.csv_tables import CsvReader
from runferry.readers.jsonl_tables import JsonLinesReader
from runferry.readers.parquet_tables import ParquetReader
from runferry.readers.tabular.csv_form import form_of
from runferry.readers.tabular.csv_table import CsvTable
from runferry.readers.tabular.run_rows import RunRows

Rows = list[dict[str, Any]]
OPTIONS = ReadOptions(columns=TableColumns(run="run"))


def write_groups(path: Path, rows: Rows) -> Path:
    return write_parquet(path, rows, group_rows=700)


EACH = [
    pytest.param(CsvReader, write_csv, "t.csv", id="csv"),
    pytest.param(JsonLinesReader, write_jsonl, "t.jsonl", id="jsonl"),
    pytest.param(ParquetReader, write_groups, "t.parquet", id="parquet"),
]
each = pytest.mark.parametrize(("reader", "write", "name"), EACH)
ORDERS: dict[str, Callable[[Rows], Rows]] = {
    "one-behind-another": lambda rows: rows,
    "in-turns": lambda rows: sorted(rows, key=lambda row: row["step"]),
    "anyhow": lambda rows: random.Random(7).sample(rows, len(rows)),
}


def table(runs: int, steps: int) -> Rows:
    note = 'a "quoted"\nnote '
    return [
        {"run": f"r{run}", "step": step, "loss": run + step / 7, "note": note + "x" * (step % 50)}
        for run in range(runs)
        for step in range(steps)
    ]


@each
@pytest.mark.parametrize("order", ORDERS)
def test_every_row_comes_to_its_run_with_its_number_wherever_it_stands(
    tmp_path: Path, reader: type[Reader], write: Any, name: str, order: str
) -> None:
    rows = ORDERS[order](table(12, 500))
    write(tmp_path / name, rows)
    source = opened(reader, tmp_path / name, OPTIONS)
    runs = list(source.runs())
    assert [run.name for run in runs] == list(dict.fromkeys(row["run"] for row in rows))
    for run in runs:
        own = [(number, row) for number, row in enumerate(rows) if row["run"] == run.name]
        assert isinstance(source, PortableReader)
        found = held(pickle.loads(pickle.dumps(source.alone(run))), run)
        points = found.points["loss"]
        assert [(row["seq"], row["step"], row["value"]) for row in points] == [
            (number, row["step"], row["loss"]) for number, row in own
        ]
        assert [row["text"] for row in found.texts["note"]] == [row["note"] for _, row in own]


@pytest.mark.parametrize("order", ORDERS)
def test_a_run_goes_on_where_it_was_left_when_others_grow_too(tmp_path: Path, order: str) -> None:
    path, rows = tmp_path / "t.csv", ORDERS[order](table(5, 400))
    write_csv(path, rows[:900])
    source = opened(CsvReader, path, OPTIONS)
    before = {run.key: held(source, run) for run in source.runs()}
    write_csv(path, rows)
    again = opened(CsvReader, path, OPTIONS)
    for run in again.runs():
        whole = held(again, run).cells()
        if run.key in before:
            first = before[run.key]
            assert {**first.cells(), **held(again, run, first.cursor()).cells()} == whole


def test_a_row_written_since_the_runs_were_listed_is_read(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    write_csv(path, table(5, 400))
    source = opened(CsvReader, path, OPTIONS)
    runs = list(source.runs())
    with path.open("a") as stream:
        stream.write("r0,400,1.5,late\n")
    assert held(source, runs[0]).steps("loss")[-1] == 400
    assert held(source, runs[1]).steps("loss")[-1] == 399


def test_rows_that_are_none_are_told_by_every_run_wherever_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    write_csv(path, table(3, 2000))
    lines = path.read_text().splitlines(keepends=True)
    with path.open("a") as stream:
        stream.write("odd\n")
        stream.writelines(lines[1:4001])
    source = opened(CsvReader, path, OPTIONS)
    assert [held(source, run).codes()["odd-row"] for run in source.runs()] == [1, 1, 1]


def test_only_the_blocks_of_a_run_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """200 runs one behind another took 200 times the time of one."""
    path = tmp_path / "t.csv"
    write_csv(path, [{"run": f"r{run}", "loss": step} for run in range(200) for step in range(400)])
    form = form_of(path)
    whole = CsvTable(path, "t", form, (("run",), ("loss",)), names=frozenset({0}))
    runs = RunRows.of(whole, 0)
    size = path.stat().st_size
    read: list[int] = []
    piece = CsvTable._piece

    def counted(self: CsvTable, stream: Any, place: Any, end: int | None) -> bytes | None:
        found = piece(self, stream, place, end)
        read.append(len(found or b""))
        return found

    monkeypatch.setattr(CsvTable, "_piece", counted)
    for name in runs.spans:
        own = runs.table(whole, 0, name)
        assert sum(len(block.number) for block in own.blocks(own.begin(), [])) == 400
    assert sum(read) < 200 * size / 4


def test_where_a_run_has_rows_is_held_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    lines = io.StringIO()
    for run in range(600):
        lines.writelines(f"{'often' if run % 2 else run},{step:0200d}\n" for step in range(40))
    path.write_text("run,loss\n" + lines.getvalue())
    form = form_of(path)
    whole = CsvTable(path, "t", form, (("run",), ("loss",)), names=frozenset({0}), piece=1 << 12)
    runs = RunRows.of(whole, 0)
    assert max(len(spans) for spans in runs.spans.values()) <= 64
    own = runs.table(whole, 0, "often")
    assert sum(len(block.number) for block in own.blocks(own.begin(), [])) == 300 * 40
