"""Records that are no good text, of no known type or malformed: mended or handed on, and told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from wandb_log import Log, blob, history, item, line, one, read, row, scan_bytes, whole


def test_lone_surrogates_are_replaced_and_reported(tmp_path: Path) -> None:
    found = one(tmp_path, r'"\ud83d\ude00 \ud800"')
    assert json.loads(found.values[0].value) == "\U0001f600 \ufffd"
    assert [reason for _, _, reason in found.damage] == ["lone-surrogate"]


def test_bytes_that_are_no_text_are_replaced_and_reported(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        history([item(["x"], b'"\xff"')], 0),
        blob(2, blob(1, blob(2, b"k\xfe") + blob(16, "1"))),
        line(b"l\xfd\n"),
        blob(17, blob(1, b"id\xfc")),
    )
    assert [v.value for v in found.values] == ['"\ufffd"']
    assert [p.path for p in found.points] == [("k\ufffd",)]
    assert found.lines == [("stdout", "l\ufffd\n")]
    assert found.records[0][2] == {"run_id": "id\ufffd"}
    assert [reason for _, _, reason in found.damage] == ["bad-utf8"] * 4


def test_record_types_and_fields_nobody_knows_are_handed_on(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        blob(77, b"\x00raw"),
        blob(17, blob(1, "id") + whole(90, 5) + whole(90, 6)),
        whole(1, 3),
        blob(2, blob(1, item(["x"], "1")) + blob(9, b"new")),
        history([item(["y"], None, blob(30, b"new type"))], 0),
    )
    assert [(name, message) for name, _, message in found.records[:3]] == [
        ("#77", {"#77": b"\x00raw"}),
        ("run", {"run_id": "id", "#90": [5, 6]}),
        ("unknown", {"num": 3}),
    ]
    assert [name for name, _, _ in found.records[3:]] == ["history", "history"]
    assert found.records[3][2]["#9"] == [b"new"]
    assert found.records[4][2]["item"] == [{"nested_key": ["y"], "#30": [b"new type"]}]
    assert [(p.path, p.value) for p in found.points] == [(("x",), 1.0)]


def test_a_malformed_message_gives_no_half_row(tmp_path: Path) -> None:
    broken = blob(2, blob(1, item(["x"], "1")) + b"\x0a\x7f")
    found = read(tmp_path, row(0, y=1), broken, blob(17, b"\x0a\x7f"), row(1, y=2))
    assert [(p.path, p.value) for p in found.points] == [(("y",), 1.0), (("y",), 2.0)]
    assert [reason for _, _, reason in found.damage] == ["bad-record", "bad-record"]
    assert found.seq == 2


def test_messages_nested_without_end_are_refused(tmp_path: Path) -> None:
    deep = b""
    for _ in range(5000):
        deep = blob(11, deep)  # JobInputSource has no such field: kept as bytes
    group = b"\x0b" * 50_000
    found = read(tmp_path, blob(17, group), blob(17, deep), row(0, x=1))
    assert [reason for _, _, reason in found.damage] == ["bad-record"]
    assert len(found.points) == 1


def test_keys_that_become_the_same_when_mended_are_told_to_be_merged(tmp_path: Path) -> None:
    first, second = (blob(1, b"k" + bad) + blob(16, "1") for bad in (b"\xff", b"\xfe"))
    found = scan_bytes(tmp_path, Log.of([history([first]), history([second])]).raw)
    assert {point.path for point in found.points} == {("k\ufffd",)}
    reasons = [reason for _, _, reason in found.damage]
    assert reasons == ["bad-utf8", "bad-utf8", "merged-key"]


@pytest.mark.parametrize("rows", [1, 100])
def test_a_mended_key_is_told_though_its_row_is_read_twice(tmp_path: Path, rows: int) -> None:
    """Because the batch was full, or because of the `_type`."""
    bad = blob(1, b"k\xff") + blob(16, "1")
    media = [item(["m", "_type"], '"x"'), item(["m", "v"], "1")]
    found = scan_bytes(tmp_path, Log.of([row(0, x=1, y=1), history([bad, *media])]).raw, rows=rows)
    assert [reason for _, _, reason in found.damage] == ["bad-utf8"]
