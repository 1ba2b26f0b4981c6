"""What our writer says beyond TensorBoard's fields comes back; other readers pass over it."""

from __future__ import annotations

import math
import struct
from pathlib import Path

from event_files import (
    HEADER,
    blob,
    doubles,
    event,
    folded,
    metadata,
    scan,
    simple,
    strings,
    whole,
    write,
)
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

TIME = 1.7e9
NS = 1_700_000_000_000_000_000


def test_numbers_of_rows_go_on_behind_one_that_is_given(tmp_path: Path) -> None:
    given = [None, 7, None, 3, None, -5]
    events = [
        event(TIME, 0, simple("a", n), own=b"" if seq is None else whole(1, seq))
        for n, seq in enumerate(given)
    ]
    found = scan(write(tmp_path / "events", HEADER, *events))
    assert [row["seq"] for row in found.points] == [0, 7, 8, 3, 4, -5]
    assert found.seq == -4


def test_steps_and_times_are_exact_or_null(tmp_path: Path) -> None:
    owns = [whole(2, 250_000), whole(3, 1), whole(3, 2), folded(4, NS + 1), folded(4, -1), b""]
    events = [event(TIME, 9, simple("a", 0), simple("b", 0), own=own) for own in owns]
    events.append(event(math.nan, 9, simple("a", 0), simple("b", 0), own=whole(3, 3)))
    found = scan(write(tmp_path / "events", HEADER, *events))
    shown = [(row["step"], row["step_frac"], row["time"]) for row in found.points]
    assert (
        shown[::2]
        == shown[1::2]
        == [
            (9, 250_000, NS),
            (None, None, NS),
            (9, None, None),
            (9, None, NS + 1),
            (9, None, -1),
            (9, None, NS),
            (None, None, None),
        ]
    )
    assert not found.damage


def test_values_have_the_kind_that_is_said(tmp_path: Path) -> None:
    about = metadata("scalars")
    numbers = [0.1, 0.1, 0.5, 3.0, 1.0, math.nan, 2.0**60, -1.0]
    tags = [f"t{n}" for n in range(len(numbers))]
    values = [doubles(tag, number, about=about) for tag, number in zip(tags, numbers, strict=True)]
    packed = blob(6, b"".join(folded(6, n)[1:] for n in (2**60 + 1, -(2**63))))
    own = blob(5, bytes([0, 1, 2, 3, 4, 5, 6, 6])) + packed
    found = scan(write(tmp_path / "events", HEADER, event(TIME, 0, *values, own=own)))
    assert [(row["kind"], row["value"], row["value_i64"]) for row in found.points] == [
        ("float64", 0.1, None),
        ("float64", 0.1, None),
        ("float32", 0.5, None),
        ("int", 3.0, None),
        ("bool", 1.0, None),
        ("null", None, None),
        ("int", 2.0**60, 2**60 + 1),
        ("int", -(2.0**63), None),
    ]
    assert not found.damage


def test_a_kind_that_cannot_be_is_told_and_the_value_kept(tmp_path: Path) -> None:
    values = [doubles("a", number) for number in (0.1, 0.5, 2.0, 1e300, 7.0)]
    own = blob(5, bytes([2, 3, 4, 6, 99]))
    found = scan(write(tmp_path / "events", HEADER, event(TIME, 0, *values, own=own)))
    assert [row["value"] for row in found.points] == [0.1, 0.5, 2.0, 1e300, 7.0]
    assert {row["kind"] for row in found.points} == {"float64"}
    assert [reason for *_, reason in found.damage] == ["bad-record"] * 5


def test_chunks_come_back_as_they_were_written_and_are_no_rows(tmp_path: Path) -> None:
    about = metadata("runferry")
    chunk = strings("runferry/attributes", '{"a": "ü"}', about=about)
    end = strings("runferry/end", "7")
    events = [event(TIME, 0, chunk), event(TIME, 1, simple("a", 1.0)), event(TIME, 2, chunk)]
    found = scan(write(tmp_path / "events", HEADER, *events, event(TIME, 3, end + about)))
    chunks = [(kind, seq, message) for kind, _, seq, _, message in found.records[1:]]
    attributes = {"tag": "runferry/attributes", "json": '{"a": "ü"}'.encode()}
    assert chunks == [
        ("runferry", 0, attributes),
        ("runferry", 1, attributes),
        ("runferry", 1, {"tag": "runferry/end", "json": b"7"}),
    ]
    assert [row["seq"] for row in found.points] == [0]
    assert found.seq == 1


def test_tensorboard_passes_over_our_field(tmp_path: Path) -> None:
    own = whole(1, 5) + folded(4, NS + 3) + blob(5, bytes([5]))
    path = write(tmp_path / "events", HEADER, event(TIME, 4, simple("a", 0.5), own=own))
    *_, last = EventFileLoader(str(path)).Load()
    assert (last.step, last.wall_time) == (4, TIME)
    assert last.summary.value[0].tensor.float_val[:] == [struct.unpack("<f", b"\0\0\0?")[0]]
