"""The same run id again: copies, longer copies, resumed and shared runs, accidents."""

from __future__ import annotations

import shutil
from pathlib import Path

from wandb_runs import (
    exit_record,
    folder_with,
    framed,
    gather,
    gather_all,
    gather_one,
    history_record,
    opened,
    run_record,
    small_run,
)

from runferry.losses import Fate


def steps_run(run_id: str, steps: range, start: int, **fields: object) -> list[object]:
    rows = [history_record(step, loss=float(step)) for step in steps]
    return [run_record(run_id, start, project="p", **fields), *rows, exit_record(0, 5)]


def test_a_copy_is_the_same_run(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "a", small_run())
    shutil.copytree(folder, tmp_path / "b" / folder.name)
    (tmp_path / "b" / folder.name / "files" / "more.txt").write_text("x")
    (found,) = gather_all(tmp_path)
    assert found.run.key.run_id == "r1"
    assert "more.txt" in found.files, "the richer folder is taken"
    assert not found.losses


def test_a_copy_that_has_more_replaces_the_shorter_one(tmp_path: Path) -> None:
    content = framed(small_run(steps=6))
    short = folder_with(tmp_path / "a", small_run(steps=6))
    (short / "run-r1.wandb").write_bytes(content[: len(content) // 2])
    folder_with(tmp_path / "b", small_run(steps=6))
    (found,) = gather_all(tmp_path)
    assert found.header.complete
    assert len(found.points("loss")) == 6


def test_a_declared_resume_goes_on_behind_what_it_resumes(tmp_path: Path) -> None:
    folder_with(tmp_path, steps_run("r1", range(3), 3000, resume=True), when="20240103_000000")
    folder_with(tmp_path, steps_run("r1", range(4), 1000), when="20240101_000000")
    folder_with(tmp_path, steps_run("r1", range(2), 2000, resume=True), when="20240102_000000")
    (found,) = gather_all(tmp_path)
    rows = found.points("loss")
    assert [row["step"] for row in rows] == list(range(9))
    assert [row["value"] for row in rows] == [0.0, 1.0, 2.0, 3.0, 0.0, 1.0, 0.0, 1.0, 2.0]
    assert [row["seq"] for row in rows] == sorted({row["seq"] for row in rows})
    assert [loss.fate for loss in found.losses] == [Fate.REENCODED, Fate.REENCODED]
    assert found.header.started_ns == 1000 * 10**9
    assert found.header.complete


def test_a_resume_that_states_its_steps_keeps_them(tmp_path: Path) -> None:
    folder_with(tmp_path, steps_run("r1", range(4), 1000), when="20240101_000000")
    resumed = steps_run("r1", range(2, 6), 2000, resumed=True, starting_step=2)
    folder_with(tmp_path, resumed, when="20240102_000000")
    (found,) = gather_all(tmp_path)
    assert [row["step"] for row in found.points("loss")] == [0, 1, 2, 3, 2, 3, 4, 5]
    assert not found.losses


def test_a_resumed_folder_that_appears_later_is_read_on_from_the_cursor(tmp_path: Path) -> None:
    folder_with(tmp_path, steps_run("r1", range(4), 1000), when="20240101_000000")
    first = gather_one(tmp_path)
    folder_with(tmp_path, steps_run("r1", range(2), 2000, resume=True), when="20240102_000000")
    rest = gather_one(tmp_path, first.cursor())
    assert [row["step"] for row in rest.rows("points")] == [4, 5]
    assert min(row["seq"] for row in rest.rows("points")) > max(
        row["seq"] for row in first.rows("points")
    )


def test_shared_mode_is_one_run(tmp_path: Path) -> None:
    for number, label in enumerate(("a", "b")):
        records = steps_run("r1", range(2), 1000 + number)
        records[0].run.telemetry.feature.shared_mode = True
        folder_with(tmp_path / label, records)
    (found,) = gather_all(tmp_path)
    assert [row["step"] for row in found.points("loss")] == [0, 1, 0, 1]


def test_the_same_id_by_accident_is_a_second_run_and_reported(tmp_path: Path) -> None:
    folder_with(tmp_path, steps_run("r1", range(3), 2000), when="20240102_000000")
    folder_with(tmp_path, steps_run("r1", range(4), 1000), when="20240101_000000")
    found = {one.run.key.run_id: one for one in gather_all(tmp_path)}
    assert set(found) == {"r1", "r1~2"}
    assert len(found["r1"].points("loss")) == 4, "the earlier one keeps the id"
    (loss,) = found["r1~2"].losses
    assert (loss.code, loss.fate) == ("same-run-id", Fate.RENAMED)
    assert not found["r1"].losses


def test_the_same_id_in_another_project_is_another_run(tmp_path: Path) -> None:
    folder_with(tmp_path / "a", [run_record("r1", project="p")])
    folder_with(tmp_path / "b", [run_record("r1", project="q")])
    keys = [str(one.run.key) for one in gather_all(tmp_path)]
    assert keys == ["p/r1", "q/r1"]


def test_the_order_of_runs_does_not_change(tmp_path: Path) -> None:
    for number in range(5):
        folder_with(tmp_path, small_run(f"r{number}"), f"r{number}")
    reader = opened(tmp_path)
    first = [run.key for run in reader.runs()]
    assert first == [run.key for run in opened(tmp_path).runs()]
    assert all(gather(reader, run).header.complete for run in reader.runs())


def test_a_resume_whose_first_row_holds_no_scalar_goes_on_as_well(tmp_path: Path) -> None:
    folder_with(tmp_path, steps_run("r1", range(5), 1000), when="20240101_000000")
    rows = [history_record(0, note="begin"), *(history_record(n, loss=n) for n in range(1, 4))]
    resumed = [run_record("r1", 2000, project="p", resume=True), *rows, exit_record()]
    folder_with(tmp_path, resumed, when="20240102_000000")
    (found,) = gather_all(tmp_path)
    assert [row["step"] for row in found.points("loss")] == [0, 1, 2, 3, 4, 6, 7, 8]
    assert [row["step"] for row in found.rows("texts")] == [5]
    assert found.codes() == {"rebased-steps"}
