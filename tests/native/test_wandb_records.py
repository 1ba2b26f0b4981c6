"""The record view equals what protobuf's own code makes of the same bytes."""

from __future__ import annotations

import gc
import json
import math
import os
import struct
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wandb_log import BLOCK, Log, blob, history, item, row, stats, summary, whole

from runferry._native import wandb_records

pb = pytest.importorskip("wandb.proto.wandb_internal_pb2")
from google.protobuf.json_format import MessageToDict  # noqa: E402

CORPUS = Path(os.environ.get("RUNFERRY_CORPUS", Path(__file__).parents[3] / "shared" / "corpus"))


def payloads(raw: bytes) -> Iterator[bytes]:
    """The records of an undamaged file, by the plainest reading of the format."""
    at, parts = 7, b""
    while at + 7 <= len(raw):
        left = BLOCK - at % BLOCK
        if left < 7:
            at += left
            continue
        _, length, kind = struct.unpack_from("<IHB", raw, at)
        parts += raw[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):
            yield parts
            parts = b""


def by_protobuf(raw: bytes) -> dict[str, list[Any]]:
    """What the well-known script does, but for keys that collide."""
    found: dict[str, list[Any]] = {}
    for payload in payloads(raw):
        record = pb.Record()
        record.ParseFromString(payload)
        kind = record.WhichOneof("record_type")
        message = MessageToDict(record, preserving_proto_field_name=True)[kind]
        for name, items in message.items():
            if isinstance(items, list) and items and "value_json" in items[0]:
                keys = [one.get("key") or "/".join(one["nested_key"]) for one in items]
                values = [json.loads(one["value_json"]) for one in items]
                message[name] = dict(zip(keys, values, strict=True))
        found.setdefault(kind, []).append(message)
    return found


def comparable(tree: Any) -> Any:
    """NaN equal to NaN; without the fields that this version of the descriptors lacks."""
    if isinstance(tree, dict):
        return {k: comparable(v) for k, v in tree.items() if not str(k).startswith("#")}
    if isinstance(tree, list):
        return [comparable(one) for one in tree]
    return "NaN" if isinstance(tree, float) and math.isnan(tree) else tree


def fill(message: Any, depth: int, draw: Any) -> None:
    """Random content for every kind of field."""
    for field in message.DESCRIPTOR.fields:
        if field.is_repeated and field.message_type and field.message_type.GetOptions().map_entry:
            continue
        if (depth == 0 and field.message_type) or not draw(st.booleans()):
            continue
        for _ in range(2 if field.is_repeated else 1):
            if field.message_type:
                inner = getattr(message, field.name)
                inner = inner.add() if field.is_repeated else inner
                inner.SetInParent()
                fill(inner, depth - 1, draw)
                continue
            value = draw(values_of(field, message.DESCRIPTOR.name))
            if field.is_repeated:
                getattr(message, field.name).append(value)
            else:
                setattr(message, field.name, value)


def values_of(field: Any, message: str) -> st.SearchStrategy[Any]:
    if field.name == "value_json":
        return st.sampled_from(["1", "-2.5", '"t"', "[NaN]", "null", "true", '{"a":{}}'])
    if message == "Timestamp":
        limit = 2**31 if field.name == "seconds" else 999_999_999
        return st.integers(0, limit) | st.sampled_from([0, 1000, 5_000_000])
    if field.enum_type:
        return st.sampled_from([value.number for value in field.enum_type.values])
    return {
        field.TYPE_STRING: st.text(max_size=5),
        field.TYPE_BOOL: st.booleans(),
        field.TYPE_DOUBLE: st.floats(),
        field.TYPE_FLOAT: st.floats(width=32),
        field.TYPE_INT32: st.integers(-(2**31), 2**31 - 1),
        field.TYPE_UINT32: st.integers(0, 2**32 - 1),
        field.TYPE_INT64: st.integers(-(2**63), 2**63 - 1),
        field.TYPE_SINT64: st.integers(-(2**63), 2**63 - 1),
        field.TYPE_UINT64: st.integers(0, 2**64 - 1),
    }[field.type]


@settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_every_message_of_the_schema_is_read_as_protobuf_reads_it(
    tmp_path: Path, data: st.DataObject
) -> None:
    kinds = [field.name for field in pb.Record.DESCRIPTOR.oneofs[0].fields]
    special = {"history", "summary", "config", "stats"}  # mappings, see below
    kind = data.draw(st.sampled_from([kind for kind in kinds if kind not in special]))
    record = pb.Record()
    getattr(record, kind).SetInParent()
    fill(getattr(record, kind), 3, data.draw)
    expected = MessageToDict(record, preserving_proto_field_name=True)[kind]
    (tmp_path / "run.wandb").write_bytes(Log.of([record.SerializeToString()]).raw)
    damage: list[Any] = []
    found = wandb_records(tmp_path / "run.wandb", damage=damage)
    assert comparable(found[kind]) == comparable([expected])
    assert damage == []


def corpus_files() -> list[Path]:
    return sorted((CORPUS / "wandb").rglob("*.wandb"))


def test_every_stranger_s_file_reads_as_protobuf_reads_it() -> None:
    if not CORPUS.is_dir():
        pytest.skip("the corpus of strangers' files is not here: set RUNFERRY_CORPUS")
    compared = 0
    for path in corpus_files():
        damage: list[Any] = []
        found = wandb_records(path, damage=damage)
        if damage or path.stat().st_size == 0:
            continue
        expected = by_protobuf(path.read_bytes())
        strangers = {kind for kind in found if kind.startswith("#")}
        assert found.keys() - strangers == expected.keys(), path.name
        for kind, messages in expected.items():
            assert comparable(found[kind]) == comparable(messages), (path.name, kind)
        compared += 1
    assert compared > 100


def records(folder: Path, *messages: bytes, **options: Any) -> dict[str, list[Any]]:
    (folder / "run.wandb").write_bytes(Log.of(messages).raw)
    return wandb_records(folder / "run.wandb", **options)


def test_items_are_mappings(tmp_path: Path) -> None:
    found = records(
        tmp_path,
        row(3, x=1.5, s="t", n=None),
        stats(1, 0, cpu=2.0),
        summary([item(["a", "b"], "NaN")], [item(["c"], None)]),
    )
    assert found["history"] == [
        {"item": {"x": 1.5, "s": "t", "n": None, "_step": 3}, "step": {"num": "3"}}
    ]
    assert found["stats"] == [{"timestamp": "1970-01-01T00:00:01Z", "item": {"cpu": 2.0}}]
    (update,) = found["summary"]
    assert math.isnan(update["update"]["a/b"])
    assert update["remove"] == [{"nested_key": ["c"]}]


def test_keys_that_would_collide_stay_tuples(tmp_path: Path) -> None:
    clash = history([item(["a", "b"], "1"), item(["a/b"], "2"), item(["c", "d"], "3")])
    alone = history([item(["a", "b"], "4")])
    found = records(tmp_path, clash, alone)["history"]
    assert found[0]["item"] == {("a", "b"): 1, ("a/b",): 2, "c/d": 3}
    assert found[1]["item"] == {"a/b": 4}


def test_keys_are_tuples_where_asked_for(tmp_path: Path) -> None:
    found = records(tmp_path, history([item(["a", "b"], "1"), item("c", "2")]), keys="path")
    assert found["history"][0]["item"] == {("a", "b"): 1, ("c",): 2}
    with pytest.raises(ValueError, match="joined"):
        records(tmp_path, keys="dots")


def test_a_list_that_cannot_be_a_mapping_stays_a_list(tmp_path: Path) -> None:
    twice = history([item(["a"], "1"), item(["a"], "2")])
    bad = history([item(["a"], "{")])
    found = records(tmp_path, twice, bad)["history"]
    assert [one["value_json"] for one in found[0]["item"]] == ["1", "2"]
    assert found[1]["item"] == [{"nested_key": ["a"], "value_json": "{"}]


def test_typed_values_need_no_json(tmp_path: Path) -> None:
    found = records(tmp_path, history([item(["a"], None, whole(5, 13)), item(["b"], "1")]))
    assert found["history"][0]["item"] == {"a": -7, "b": 1}


def test_a_message_written_in_parts_is_the_parts_together(tmp_path: Path) -> None:
    """However many there are, in time by their length."""
    parts = b"".join(blob(21, blob(1 + n % 2, f"{n}")) for n in range(40_000))
    content = blob(3, "p") + parts + blob(1, "r")
    began = time.process_time()
    (run,) = records(tmp_path, blob(17, content))["run"]
    assert time.process_time() - began < 10  # a quadratic merge takes minutes
    assert run == {
        "project": "p",
        "git": {"remote_url": "39998", "commit": "39999"},
        "run_id": "r",
    }
    assert list(run) == ["project", "git", "run_id"]
    message = pb.Record(run=pb.RunRecord.FromString(content)).run
    assert MessageToDict(message, preserving_proto_field_name=True) == run


def test_unknown_record_types_are_there(tmp_path: Path) -> None:
    found = records(tmp_path, blob(77, b"\x00raw"), whole(1, 3))
    assert found == {"#77": ["AHJhdw=="], "unknown": [{"num": "3"}]}


def test_garbage_is_collected_again_when_the_last_of_several_readings_ends(tmp_path: Path) -> None:
    (tmp_path / "run.wandb").write_bytes(Log.of([history([item(["a"], "[[1]]")])] * 300).raw)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # so that threads change hands within a reading
    try:
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(wandb_records, [tmp_path / "run.wandb"] * 40))
    finally:
        sys.setswitchinterval(interval)
    assert all(one == found[0] for one in found)
    assert gc.isenabled()
    gc.disable()
    try:
        wandb_records(tmp_path / "run.wandb")
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_damage_is_told_by_offset(tmp_path: Path) -> None:
    raw = Log.of([row(0, x=1)]).raw
    (tmp_path / "run.wandb").write_bytes(raw + b"\x01\x02")
    damage: list[Any] = []
    found = wandb_records(tmp_path / "run.wandb", damage=damage)
    assert len(found["history"]) == 1
    assert damage == [(len(raw), 2, "cut-tail")]


def test_the_schema_is_that_of_the_installed_package() -> None:
    """Every field of the vendor's descriptors is in ours, by number, name and type."""
    text = (Path(__file__).parents[2] / "rust" / "src" / "python" / "wandb_schema.txt").read_text(
        "utf-8"
    )
    lines = text.replace("\n  ", " ").splitlines()
    ours = {}
    for one in lines:
        if one.startswith("message "):
            name, _, fields = one.removeprefix("message ").partition(":")
            ours[name] = {tuple(f.split()[:2]) for f in fields.split(", ") if f.strip()}

    def check(descriptor: Any, done: set[str]) -> None:
        short = descriptor.full_name.split(".", 1)[1].replace(".", "_").removeprefix("protobuf_")
        if short in done or short == "Timestamp":
            return
        done.add(short)
        assert ours[short] == {(str(f.number), f.name) for f in descriptor.fields}, short
        for field in descriptor.fields:
            if field.message_type:
                check(field.message_type, done)

    check(pb.Record.DESCRIPTOR, set())
