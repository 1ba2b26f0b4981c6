"""The record view: the seed's fields and conventions, and everything it could not read."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from wandb.proto import wandb_internal_pb2 as pb
from wandb_runs import corpus, exit_record, framed, history_record, run_record, small_run

from runferry.dialects.wandb_database import load_wandb_database
from runferry.errors import Damaged, UnknownVersion

SEED_FIELDS = {
    "history",
    "summary",
    "output",
    "config",
    "files",
    "stats",
    "artifact",
    "tbrecord",
    "alert",
    "telemetry",
    "metric",
    "output_raw",
    "run",
    "exit",
    "final",
    "header",
    "footer",
    "preempting",
    "noop_link_artifact",
    "use_artifact",
    "request",
}


def written(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "run-r1.wandb"
    path.write_bytes(content)
    return path


def as_the_seed_does(record: pb.Record) -> dict[str, Any]:
    """The message by protobuf's own JSON, items made a mapping: the contract, spelled anew."""
    kind = record.WhichOneof("record_type")
    message = MessageToDict(record, preserving_proto_field_name=True)[kind]
    for name, items in message.items():
        if isinstance(items, list) and items and "value_json" in items[0]:
            message[name] = {
                item.get("key") or "/".join(item["nested_key"]): json.loads(item["value_json"])
                for item in items
            }
    return dict(message)


def test_every_record_is_what_protobuf_says_it_is(tmp_path: Path) -> None:
    records = small_run()
    found = load_wandb_database(written(tmp_path, framed(records)))
    for kind in {record.WhichOneof("record_type") for record in records}:
        same = [r for r in records if r.WhichOneof("record_type") == kind]
        assert list(getattr(found, kind)) == [as_the_seed_does(record) for record in same]
    assert sum(found.counts().values()) == len(records)
    assert not found.damage


def test_the_fields_of_the_seed_are_all_there() -> None:
    names = [
        one.name for one in dataclasses.fields(load_wandb_database.__globals__["WandbDatabase"])
    ]
    assert set(names) >= SEED_FIELDS
    assert {"environment", "output_logger", "unknown"} <= set(names)


def test_nested_keys_never_collide(tmp_path: Path) -> None:
    record = pb.Record()
    for path in (["a", "b"], ["a/b"], ["c", "d"]):
        record.history.item.add(nested_key=path, value_json=str(len(path)))
    path = written(tmp_path, framed([record]))
    (joined,) = load_wandb_database(path).history
    assert len(joined["item"]) == 3
    (tuples,) = load_wandb_database(path, keys="path").history
    assert tuples["item"] == {("a", "b"): 2, ("a/b",): 1, ("c", "d"): 2}


def test_non_finite_numbers_are_numbers(tmp_path: Path) -> None:
    row = history_record(0, a=float("nan"), b=float("-inf"), c=[float("inf")])
    (found,) = load_wandb_database(written(tmp_path, framed([row]))).history
    assert str(found["item"]["a"]) == "nan"
    assert found["item"]["b"] == float("-inf")
    assert found["item"]["c"] == [float("inf")]


def test_records_of_unknown_types_are_there(tmp_path: Path) -> None:
    found = load_wandb_database(written(tmp_path, framed([run_record(), b"\xba\x1f\x03abc"])))
    assert len(found.unknown) == 1
    assert len(found.run) == 1


def test_cut_and_damaged_files_are_read_as_far_as_they_go(tmp_path: Path) -> None:
    records = small_run(steps=3)
    content = framed(records)
    whole = load_wandb_database(written(tmp_path, content))
    for length in (0, 3, 7, 100, len(content) - 1):
        found = load_wandb_database(written(tmp_path, content[:length]))
        assert found.history == whole.history[: len(found.history)]
        assert not found.exit
        assert bool(found.damage) == (length > 7)
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 1
    found = load_wandb_database(written(tmp_path, bytes(flipped)))
    assert found.run == whole.run
    assert found.damage
    assert 7 <= found.damage[0].offset <= len(content) // 2


def test_strangers_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(Damaged):
        load_wandb_database(written(tmp_path, b"<html></html>"))
    with pytest.raises(UnknownVersion):
        load_wandb_database(written(tmp_path, b":W&B\xe1\xbe\x01"))
    with pytest.raises(OSError, match="No such file"):
        load_wandb_database(tmp_path / "nowhere.wandb")


def test_columns_are_the_rows_of_the_records(tmp_path: Path) -> None:
    found = load_wandb_database(written(tmp_path, framed([*small_run(steps=4), exit_record()])))
    points = found.columns.points.to_pylist()
    losses = [row["value"] for row in points if row["key"] == "loss"]
    assert losses == [row["item"]["loss"] for row in found.history]
    assert {(row["key"], row["stream"]) for row in points} >= {("loss", "user"), ("cpu", "system")}
    assert [json.loads(t) for t in found.columns.values.column("json").to_pylist()] == [
        row["item"]["note"] for row in found.history
    ]
    assert found.columns.console.column("line").to_pylist() == [
        row["line"] for row in found.output_raw
    ]


def test_the_record_counts_of_the_corpus_are_the_vendors() -> None:
    home = corpus()
    if home is None:
        pytest.skip("no corpus; set RUNFERRY_CORPUS")
    checked = 0
    with (home / "EXPECTED.jsonl").open() as lines:
        for line in lines:
            row = json.loads(line)
            if row.get("kind") != "wandb" or not row.get("file") or "records" not in row:
                continue
            found = load_wandb_database(home / row["path"])
            stated = dict(row["records"])
            stated["environment"] = stated.pop("unknown", 0)  # younger than the vendor's reader
            counts = found.counts()
            for kind, count in stated.items():
                is_equal = counts[kind] == count
                assert is_equal or (row["error"] and counts[kind] > count), (row["path"], kind)
            assert bool(found.damage) >= bool(row["error"])
            checked += 1
    assert checked > 100


def test_columns_are_there_without_rows(tmp_path: Path) -> None:
    columns = load_wandb_database(written(tmp_path, framed([run_record("r1")]))).columns
    full = load_wandb_database(written(tmp_path, framed(small_run()))).columns
    for name in ("points", "values", "console"):
        assert getattr(columns, name).num_rows == 0
        assert getattr(columns, name).schema.equals(getattr(full, name).schema), name
