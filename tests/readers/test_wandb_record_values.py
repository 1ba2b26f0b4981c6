"""What records of a run folder become: values, definitions, and what no schema knows."""

from __future__ import annotations

import json
from pathlib import Path

from wandb.proto import wandb_internal_pb2 as pb
from wandb_runs import (
    exit_record,
    folder_with,
    gather_one,
    history_record,
    run_record,
    summary_record,
)

from runferry import tables


def test_histograms_have_edges_in_both_spellings(tmp_path: Path) -> None:
    plain = {"_type": "histogram", "values": [1, 2], "bins": [0, 0.5, 1]}
    packed = {
        "_type": "histogram",
        "values": [1.5, 2],
        "packedBins": {"min": 1, "size": 2, "count": 2},
    }
    odd = {"_type": "histogram", "values": "none"}
    rows = [history_record(0, a=plain, b=packed, c=odd)]
    found = gather_one(folder_with(tmp_path, [run_record("r1"), *rows]))
    by_key = {row["key"]: row for row in found.rows("histograms")}
    assert by_key["a"]["edges"] == [0.0, 0.5, 1.0]
    assert (by_key["a"]["counts"], by_key["a"]["counts_kind"]) == ([1.0, 2.0], "int")
    assert by_key["a"]["extra"] is None
    assert by_key["b"]["edges"] == [1.0, 3.0, 5.0]
    assert by_key["b"]["counts_kind"] == "float64"
    assert json.loads(by_key["b"]["extra"]) == {"packedBins": {"min": 1, "size": 2, "count": 2}}
    assert [json.loads(row["text"]) for row in found.rows("texts")] == [odd]


def test_a_sweep_gives_what_it_chose(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, [run_record("r1", sweep_id="s9"), exit_record()])
    home = folder.parent / "sweep-s9"
    home.mkdir()
    (home / "config-r1.yaml").write_text("wandb_version: 1\nlr:\n  value: 0.25\n")
    found = gather_one(folder)
    assert found.header.sweep == "s9"
    (document,) = found.documents
    assert (document.kind, document.name, document.body) == (
        "sweep",
        "s9",
        {"parameters": {"lr": 0.25}},
    )
    hostile = folder_with(
        tmp_path / "x", [run_record("r2", sweep_id="../../s"), exit_record()], "r2"
    )
    assert not gather_one(hostile).documents


def test_metric_definitions_reach_their_series(tmp_path: Path) -> None:
    by_glob, by_name = pb.Record(), pb.Record()
    by_glob.metric.glob_name, by_glob.metric.step_metric = "val/*", "epoch"
    by_name.metric.name, by_name.metric.goal = "loss", pb.MetricRecord.GOAL_MINIMIZE
    by_name.metric.summary.min = True
    by_name.metric.options.hidden = True
    late = pb.Record()
    late.metric.name, late.metric.step_metric = "acc", "epoch"
    row = history_record(0, **{"val/a": 1, "loss": 2, "epoch": 3, "acc": 4})
    found = gather_one(folder_with(tmp_path, [run_record("r1"), by_glob, by_name, row, late]))
    loss = found.series["loss"]
    assert (loss.goal, loss.summary_rule, loss.hidden, loss.x_axis) == (
        "minimize",
        "min",
        True,
        None,
    )
    assert found.series["val/a"].x_axis == "epoch"
    assert found.series["acc"].x_axis == "epoch"
    assert found.series["epoch"].x_axis is None


def test_a_fork_and_a_rewind_name_their_origin(tmp_path: Path) -> None:
    for origin, kind in (("other", "fork"), ("r1", "rewind")):
        record = run_record("r1")
        record.run.branch_point.run, record.run.branch_point.value = origin, 17
        record.run.branch_point.metric = "_step"
        found = gather_one(folder_with(tmp_path / kind, [record])).header.forked_from
        assert found is not None
        assert (found.run_id, found.step, found.kind) == (origin, 17, kind)


def test_nothing_in_a_file_vanishes(tmp_path: Path) -> None:
    alert, request = pb.Record(), pb.Record()
    alert.alert.title, alert.alert.text = "T", "x"
    request.request.keepalive.SetInParent()
    unknown = b"\xba\x1f\x03abc"  # field 503: three bytes
    found = gather_one(folder_with(tmp_path, [run_record("r1"), alert, request, unknown]))
    assert any(path[:2] == ("_wandb", "alert") for path in found.role("other"))
    payloads = [raw.payload for raw in found.raws]
    assert any(b"abc" in payload for payload in payloads)
    assert len(payloads) == 2


def test_values_keep_their_kind(tmp_path: Path) -> None:
    row = history_record(
        0, f=1.5, i=3, big=2**53 + 1, huge=2**70, b=True, n=None, s="x", nan=float("nan"), l=[1, 2]
    )
    last = summary_record(empty={}, deep={"a": None})
    found = gather_one(folder_with(tmp_path, [run_record("r1"), row, last]))
    kinds = {point["key"]: (point["kind"], point["value_i64"]) for point in found.rows("points")}
    assert kinds["f"] == ("float64", None)
    assert kinds["i"] == ("int", None)
    assert kinds["big"] == ("int", 2**53 + 1)
    assert kinds["b"] == ("bool", None)
    assert kinds["n"] == ("null", None)
    assert found.values("n") == [None]
    assert str(found.values("nan")[0]) == "nan"
    texts = {row["key"]: (row["text"], row["form"]) for row in found.rows("texts")}
    assert texts["s"] == ("x", "text")
    assert texts["huge"] == (str(2**70), "json")
    assert texts["l"] == ("[1, 2]", "json")
    assert found.role("summary") == {("empty",): {}, ("deep", "a"): None}


def test_a_definition_reaches_a_series_whose_key_was_taken(tmp_path: Path) -> None:
    nested, flat, plain = pb.Record(), pb.Record(), pb.Record()
    flat.metric.name, flat.metric.step_metric = "a.b", "epoch"
    plain.metric.glob_name, plain.metric.step_metric = "c*", "epoch"
    empty = pb.Record()
    empty.metric.name = "cc"
    nested.history.item.add(nested_key=["a", "b"], value_json="1")
    rows = [history_record(0, **{"a.b": 2, "cc": 1}), nested]
    found = gather_one(folder_with(tmp_path, [run_record("r1"), flat, plain, empty, *rows]))
    assert {key: series.x_axis for key, series in found.series.items()} == {
        "a.b": "epoch",
        "a.b~2": "epoch",
        "cc": None,
    }


def test_fields_that_no_schema_knows_are_kept_exactly(tmp_path: Path) -> None:
    record = run_record("r1")
    record.run.settings.item.add(key="api_key", value_json='"SECRETSECRET"')
    inner = record.run.SerializeToString() + b"\xba\x3e\x02\xff\xfe"  # field 999: two bytes
    outer = b"\x8a\x01" + bytes([len(inner)]) + inner
    found = gather_one(folder_with(tmp_path, [outer, exit_record()]))
    (raw,) = found.raws
    assert tables.loads(raw.payload) == {"#999": [b"\xff\xfe"]}
    assert found.run.key.run_id == "r1"
