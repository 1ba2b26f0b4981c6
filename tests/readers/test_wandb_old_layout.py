"""Runs of clients before 0.10: JSON lines, two spellings of config, bad lines, growth."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from wandb.proto import wandb_internal_pb2 as pb
from wandb_runs import Gathered, folder_with, gather_one, run_record

from runferry.losses import Fate, LossLedger
from runferry.readers import lines


def old_run(root: Path, lines: list[str], *, is_below_files: bool = False) -> Path:
    folder = root / "dryrun-20180221_062541-old1"
    home = folder / "files" if is_below_files else folder
    home.mkdir(parents=True)
    (home / "wandb-history.jsonl").write_text("".join(line + "\n" for line in lines))
    return folder


def row(step: int, **values: object) -> str:
    return json.dumps({"_step": step, "_timestamp": 1.5e9 + step, "_runtime": step, **values})


@pytest.mark.parametrize("is_below_files", [False, True])
def test_rows_become_points_with_step_and_time(tmp_path: Path, is_below_files: bool) -> None:
    lines = [row(step, loss=step / 2, note="x") for step in (0, 5, 3)]
    found = gather_one(old_run(tmp_path, lines, is_below_files=is_below_files))
    points = found.points("loss")
    assert [point["step"] for point in points] == [0, 5, 3]
    assert [point["time"].timestamp() for point in points] == [1.5e9, 1.5e9 + 5, 1.5e9 + 3]
    assert found.values("_runtime") == [0.0, 5.0, 3.0]
    assert [text["text"] for text in found.rows("texts")] == ["x"] * 3
    assert found.run.key.run_id == "old1"


def test_values_keep_their_kind(tmp_path: Path) -> None:
    line = (
        '{"nan": NaN, "inf": -Infinity, "i": 3, "big": 9007199254740993, "huge": 1' + "0" * 30 + ","
        '"b": true, "n": null, "deep": {"a.b": {"c": 1}}, "none": {}, "l": [1, NaN]}'
    )
    found = gather_one(old_run(tmp_path, [line]))
    assert math.isnan(found.values("nan")[0])
    assert found.values("inf") == [-math.inf]
    kinds = {point["key"]: point["kind"] for point in found.rows("points")}
    assert kinds["i"] == kinds["big"] == "int"
    assert (kinds["b"], kinds["n"]) == ("bool", "null")
    assert found.points("big")[0]["value_i64"] == 2**53 + 1
    assert found.series["deep.a.b.c"].path == ("deep", "a.b", "c")
    texts = {text["key"]: text["text"] for text in found.rows("texts")}
    assert texts == {"huge": "1" + "0" * 30, "none": "{}", "l": "[1, NaN]"}


def test_a_row_without_a_step_has_its_number(tmp_path: Path) -> None:
    found = gather_one(old_run(tmp_path, ['{"a": 1}', '{"a": 2}']))
    assert [point["step"] for point in found.points("a")] == [0, 1]


def test_a_bad_line_is_lost_by_its_number_and_no_other(tmp_path: Path) -> None:
    deep = '{"a": ' + "[" * 5000 + "]" * 5000 + "}"
    found = gather_one(old_run(tmp_path, [row(0, a=1), '{"a": 2', "[1]", deep, row(4, a=5)]))
    assert found.values("a") == [1.0, 5.0]
    losses = [loss for loss in found.losses if loss.code == "bad-json"]
    assert [loss.where.partition(":")[2] for loss in losses] == ["2", "3", "4"]
    assert all(loss.fate is Fate.DROPPED for loss in losses)


def test_system_metrics_are_a_stream_of_their_own(tmp_path: Path) -> None:
    folder = old_run(tmp_path, [row(0, **{"cpu": 1})])
    events = {"system.cpu": 42.5, "system.network": {"sent": 1}, "_timestamp": 1.5e9, "_runtime": 6}
    (folder / "wandb-events.jsonl").write_text(json.dumps(events) + "\n")
    found = gather_one(folder)
    system = {s.path: s.key for s in found.series.values() if s.stream == "system"}
    assert set(system) == {("cpu",), ("network", "sent"), ("_runtime",)}
    assert system["cpu",] != "cpu", "the user's own series came first to that name"
    assert found.values(system["cpu",]) == [42.5]
    users = {point["seq"] for point in found.points("cpu")}
    assert users.isdisjoint(
        point["seq"] for point in found.rows("points") if point["key"] in system.values()
    )


def test_metadata_says_how_the_run_ended(tmp_path: Path) -> None:
    stated = {
        "state": "failed",
        "exitcode": 1,
        "startedAt": "2018-02-21T06:25:41.265701",
        "heartbeatAt": "2018-02-21T06:25:57.739965",
        "jobType": "train",
        "username": "u",
        "git": {"commit": "abc"},
    }
    folder = old_run(tmp_path, [])
    (folder / "wandb-metadata.json").write_text(json.dumps(stated))
    (folder / "description.md").write_text("what it is\n")
    found = gather_one(folder)
    header = found.header
    assert (header.state, header.exit_code, header.complete) == ("failed", 1, True)
    assert (header.job_type, header.user, header.notes) == ("train", "u", "what it is")
    assert header.started_ns == 1519194341265701000
    assert header.ended_ns == 1519194357739965000
    assert found.role("environment")[("git", "commit")] == "abc"


def test_a_growing_history_is_read_on_line_by_line(tmp_path: Path) -> None:
    lines = [row(step, loss=step, text="y" * step) for step in range(40)]
    folder = old_run(tmp_path, lines)
    history = folder / "wandb-history.jsonl"
    content = history.read_bytes()
    whole = gather_one(folder)
    history.write_bytes(content[: len(content) // 2])
    first = gather_one(folder)
    history.write_bytes(content)
    rest = gather_one(folder, first.cursor())
    for table in ("points", "texts"):
        assert first.rows(table) + rest.rows(table) == whole.rows(table)
    assert len(whole.points("loss")) == 40
    assert first.codes() == {"cut-tail"}
    left = LossLedger()
    left.extend([*first.losses, *rest.losses])
    assert not list(left)


def test_a_yaml_of_aliases_is_a_loss_and_not_a_bomb(tmp_path: Path) -> None:
    folder = old_run(tmp_path, [row(0, a=1)])
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for n in range(1, 10):
        levels.append(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]")
    (folder / "config.yaml").write_text("\n".join(levels))
    found: Gathered = gather_one(folder)
    assert "unreadable-file" in found.codes()
    assert found.values("a") == [1.0]


def test_a_cut_last_line_is_told(tmp_path: Path) -> None:
    folder = old_run(tmp_path, [row(0, loss=1)])
    with (folder / "wandb-history.jsonl").open("a") as lines:
        lines.write('{"_step": 1, "lo')
    found = gather_one(folder)
    (loss,) = found.losses
    assert (loss.code, loss.fate, loss.count) == ("cut-tail", Fate.KEPT, 16)
    assert not gather_one(folder, found.cursor()).losses


def test_a_line_that_is_too_long_is_told_and_passed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "LINE_AT_MOST", 100)
    rows = [row(0, loss=1), row(1, text="x" * 1000), row(2, loss=3)]
    found = gather_one(old_run(tmp_path, rows))
    assert found.values("loss") == [1.0, 3.0]
    (loss,) = found.losses
    assert (loss.code, loss.fate, loss.where) == (
        "long-line",
        Fate.DROPPED,
        "wandb-history.jsonl:2",
    )


def told(row: dict[str, Any]) -> str:
    return str((row["key"], row["time"], row["time_ns"], row.get("value")))


def test_steps_and_times_are_read_by_the_rule_of_databases(tmp_path: Path) -> None:
    stamp = 1_600_000_000.123_456_7
    lines = [
        {"a": 1, "_step": 4.0, "_timestamp": stamp},
        {"_step": 5, "_timestamp": stamp},
        {"a": 1, "_step": 5.5, "_timestamp": "soon"},
    ]
    found = gather_one(old_run(tmp_path / "old", [json.dumps(line) for line in lines]))
    young = [pb.Record() for _ in lines]
    for record, line in zip(young, lines, strict=True):
        for name, value in line.items():
            record.history.item.add(nested_key=[name], value_json=json.dumps(value))
    native = gather_one(folder_with(tmp_path / "young", [run_record("r1"), *young]))
    for table in ("points", "texts"):
        old, new = (sorted(map(told, one.rows(table))) for one in (found, native))
        assert old == new
    (first, *_) = found.points("a")
    assert first["step"] == 4
    micro = (first["time"] - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert (micro * 1000 + first["time_ns"]) / 1e9 == stamp
