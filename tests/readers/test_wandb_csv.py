"""The reader of W&B's CSV exports: its contract, and what it makes of charts and tables.

The form is that of exports in public repositories: all cells in quotes, no line break at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from plain_tables import all_held, one_held, opened

from runferry.errors import NotFound
from runferry.losses import Fate
from runferry.ports import Location
from runferry.readers.wandb_csv import WandbCsvReader
from runferry.testing.reader_contract import ReaderContract


def export(path: Path, rows: Sequence[Sequence[object]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (",".join('"' + str(cell).replace('"', '""') + '"' for cell in row) for row in rows)
    path.write_text("\n".join(lines))
    return path


def columns(run: str, *metrics: str) -> list[str]:
    return [f"{run} - {metric}{end}" for metric in metrics for end in ("", "__MIN", "__MAX")]


def chart(path: Path, runs: Sequence[str], steps: int, x_axis: str = "Step") -> Path:
    """The second of two runs logs every other step."""
    header = [x_axis, *(name for run in runs for name in columns(run, "train/loss"))]
    rows: list[list[object]] = []
    for step in range(steps):
        row: list[object] = [step]
        for rank in range(len(runs)):
            value = 1 / (step + rank + 1)
            row += [value] * 3 if step % (rank + 1) == 0 else [""] * 3
        rows.append(row)
    return export(path, [header, *rows])


TABLE = [
    ["Name", "State", "Created", "Runtime", "ID", "Tags", "lr", "note", "val/acc"],
    ["calm-sea-1", "finished", "2022-06-10T05:44:17.000Z", 498, "3p0donj4", "a, b", 0.1, "x", 0.5],
    ["calm-sea-1", "crashed", "2022-06-10T05:35:33.000Z", "", "mw9vrozk", "", 1, "", "NaN"],
]


class TestWandbCsv(ReaderContract):
    reader = WandbCsvReader

    @pytest.fixture
    def source(self, tmp_path: Path) -> Location:
        chart(tmp_path / "exports" / "a.csv", ["deep-sea-1", "deep-sea-2"], 9)
        export(tmp_path / "exports" / "b.csv", TABLE)
        return Location("wandb_csv", str(tmp_path / "exports"))

    @classmethod
    def sized(cls, folder: Path, rows: int) -> Location:
        chart(folder / "a.csv", ["deep-sea-1"], rows // 3)
        return Location("wandb_csv", str(folder))


def test_a_chart_gives_each_run_its_own_steps_and_values(tmp_path: Path) -> None:
    first, second = all_held(WandbCsvReader, chart(tmp_path / "a.csv", ["one", "two"], 5))
    assert (first.run.name, second.run.name) == ("one", "two")
    assert first.steps("train/loss") == [0, 1, 2, 3, 4]
    assert second.steps("train/loss") == [0, 2, 4]
    assert second.values("train/loss") == [1 / 2, 1 / 4, 1 / 6]
    assert set(second.series) == {"train/loss", "train/loss__MIN", "train/loss__MAX"}
    assert not second.losses


def test_runs_of_one_name_are_told_apart(tmp_path: Path) -> None:
    first, second = all_held(WandbCsvReader, chart(tmp_path / "a.csv", ["one", "one"], 5))
    assert (first.run.name, second.run.name) == ("one", "one")
    assert first.run.key != second.run.key
    assert first.values("train/loss") == [1, 1 / 2, 1 / 3, 1 / 4, 1 / 5]
    assert second.values("train/loss") == [1 / 2, 1 / 4, 1 / 6]


def test_an_x_axis_that_is_no_step_stands_beside_steps_of_the_runs_own(tmp_path: Path) -> None:
    header = ["epoch", *columns("one", "_step", "loss"), *columns("two", "_step", "loss")]
    blank = [""] * 6
    rows = [[0, 5, 5, 5, 0.5, 0.5, 0.5, *blank], [1, *blank, 9, 9, 9, 0.25, 0.25, 0.25]]
    first, second = all_held(WandbCsvReader, export(tmp_path / "a.csv", [header, *rows]))
    assert first.steps("loss") == [5]
    assert first.values("epoch") == [0]
    assert second.steps("loss") == [9]
    assert second.values("epoch") == [1]


def test_names_with_the_mark_in_them_are_cut_at_the_last_and_told(tmp_path: Path) -> None:
    found = one_held(WandbCsvReader, chart(tmp_path / "a.csv", ["algo - b: EA"], 2))
    assert found.run.name == "algo - b: EA"
    assert found.codes() == {"ambiguous-name": 1}


def test_each_row_of_the_table_is_a_run_with_its_header_and_attributes(tmp_path: Path) -> None:
    first, second = all_held(WandbCsvReader, export(tmp_path / "a.csv", TABLE))
    assert first.run.key != second.run.key
    assert (first.run.name, first.run.state, first.run.status) == (
        "calm-sea-1",
        "finished",
        "finished",
    )
    assert first.run.created == datetime(2022, 6, 10, 5, 44, 17, tzinfo=UTC)
    assert first.run.tags == ("a", "b")
    assert first.attributes == {
        ("config", ("Runtime",)): 498,
        ("config", ("lr",)): 0.1,
        ("config", ("note",)): "x",
        ("config", ("val/acc",)): 0.5,
    }
    assert second.run.state == "failed"
    assert str(second.attributes[("config", ("val/acc",))]) == "nan"
    assert ("config", ("note",)) not in second.attributes
    assert first.codes() == {"config-or-summary": 1}


def test_a_row_that_no_run_is_made_of_is_lost_and_not_kept(tmp_path: Path) -> None:
    odd = [*TABLE[1], "one cell more"]
    for found in all_held(WandbCsvReader, export(tmp_path / "a.csv", [*TABLE, odd])):
        (lost,) = (loss for loss in found.losses if loss.code == "odd-row")
        assert (lost.fate, lost.count) == (Fate.DROPPED, 1)
        assert "kept" not in lost.detail


def test_other_tables_are_not_ours(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Name,Age\nx,1\n")
    (tmp_path / "b.csv").write_text('"step","a - b"\n"1","2"\n')
    assert not WandbCsvReader.recognises(tmp_path)
    with pytest.raises(NotFound):
        opened(WandbCsvReader, tmp_path / "a.csv")


STRANGERS = {
    "an envelope of no run": ["t", "x", "x__MIN", "x__MAX", "a - b"],
    "a difference without an envelope": ["Step", "a - b", "c - d"],
    "half an envelope": ["Step", "a - b", "a - b__MAX"],
    "other columns beside a run's": ["date", *columns("a", "b"), "place"],
    "a saved index before the x axis": ["", "Step", *columns("a", "b")],
}


@pytest.mark.parametrize("case", STRANGERS)
def test_a_strangers_columns_are_no_chart(tmp_path: Path, case: str) -> None:
    names = STRANGERS[case]
    path = export(tmp_path / "a.csv", [names, *([row] * len(names) for row in range(3))])
    assert not WandbCsvReader.recognises(tmp_path)
    assert not WandbCsvReader.recognises(path)


@pytest.mark.parametrize(
    "x_axis", ["Step", "Relative Time (Process)", "epoch", "trainer/global_step", "a - b"]
)
def test_a_chart_over_any_x_axis_is_an_export(tmp_path: Path, x_axis: str) -> None:
    path = chart(tmp_path / "a.csv", ["one", "Group: two"], 4, x_axis)
    assert WandbCsvReader.recognises(path)
    assert [found.run.name for found in all_held(WandbCsvReader, path)] == ["one", "Group: two"]


def test_a_chart_that_somebody_added_columns_to_is_read_when_it_is_named(tmp_path: Path) -> None:
    names = ["", "Step", *columns("one", "loss")]
    path = export(tmp_path / "a.csv", [names, [0, 5, 0.5, 0.5, 0.5]])
    found = one_held(WandbCsvReader, path)
    assert found.values("loss") == [0.5]
    (loss,) = found.losses
    assert (loss.code, loss.count) == ("strange-column", 1)


def test_the_last_line_is_whole_without_a_line_break(tmp_path: Path) -> None:
    path = chart(tmp_path / "a.csv", ["one"], 3)
    assert not path.read_text().endswith("\n")
    assert one_held(WandbCsvReader, path).steps("train/loss") == [0, 1, 2]
    path.write_text(path.read_text()[:-1])
    found = one_held(WandbCsvReader, path)
    assert found.steps("train/loss") == [0, 1]
    assert set(found.codes()) <= {"cut-tail", "unended-line"}
    assert found.losses


def test_what_a_header_holds_is_the_text_of_its_cell(tmp_path: Path) -> None:
    (tmp_path / "runs.csv").write_text(
        '"Name","ID","State","Notes","Group","Tags","Host","Hostname","lr"\n'
        '"001","12345e67","finished","1.10","1e3","1.10, 2","7","8","1.10"'
    )
    (run,) = all_held(WandbCsvReader, tmp_path)
    assert run.run.key.run_id.startswith("runs.csv:12345e67@")
    assert (run.run.name, run.run.notes, run.run.group) == ("001", "1.10", "1e3")
    assert run.run.tags == ("1.10", "2")
    assert run.run.host == "8"
    assert run.attributes == {("config", ("lr",)): 1.1, ("config", ("Host",)): "7"}


def test_a_column_without_an_envelope_is_divided_at_the_last_mark_too(tmp_path: Path) -> None:
    header = ["Step", *columns("one", "loss"), "b - c - loss"]
    path = export(tmp_path / "a.csv", [header, [0, 0.5, 0.5, 0.5, 0.25]])
    _, second = all_held(WandbCsvReader, path)
    assert (second.run.name, second.values("loss")) == ("b - c", [0.25])
    assert second.codes() == {"ambiguous-name": 1}
