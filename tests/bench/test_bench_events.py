"""The benchmark's event files are to the vendor what was asked for; differences are found."""

from __future__ import annotations

import copy
import io
import sys
from pathlib import Path
from typing import Any

import pytest
from bench.event_file import EVERY, EventsShape, masked_checksums, write_events, write_records
from bench.rows.tensorboard.equality import differences, verdict
from hypothesis import given
from hypothesis import strategies as st

from bench import child

MIXED = EventsShape(2 * EVERY + 1, scalars=3, histograms=2, images=1)


def test_the_checksum_of_a_record_is_the_one_of_the_standard_masked() -> None:
    crc = 0xE3069283  # of "123456789", by the catalogues of CRCs
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    assert masked_checksums([b"123456789"]).tolist() == [masked]


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_a_record_is_framed_alike_whatever_is_written_with_it(records: list[bytes]) -> None:
    together, apart = io.BytesIO(), io.BytesIO()
    write_records(together, records)
    for record in records:
        write_records(apart, [record])
    assert together.getvalue() == apart.getvalue()
    assert len(together.getvalue()) == sum(16 + len(record) for record in records)


@pytest.mark.parametrize("shape", [MIXED, EventsShape(10, form="tensor")])
def test_the_same_shape_is_the_same_file(shape: EventsShape, tmp_path: Path) -> None:
    write_events(tmp_path / "one", shape)
    write_events(tmp_path / "other", shape)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


@pytest.mark.parametrize("script", ["events_accumulator.py", "events_loader.py"])
def test_a_generated_event_file_is_to_the_vendor_what_was_asked_for(
    script: str, tmp_path: Path
) -> None:
    file = tmp_path / "events.out.tfevents.1.bench"
    write_events(file, MIXED)
    read = child.work(sys.executable, script, file, on_cores=1).outcome
    assert {tag: facts[0] for tag, facts in read["scalars"].items()} == {
        f"train/metric_{number:02d}": MIXED.steps for number in range(3)
    }
    assert {tag: facts[0] for tag, facts in read["histograms"].items()} == {
        f"weights/layer_{number:02d}": 3 for number in range(2)
    }
    assert {tag: facts[0] for tag, facts in read["images"].items()} == {"samples/0": 3}
    assert all(
        weights == pytest.approx(30_000, rel=0.05) for _, weights, _ in read["histograms"].values()
    )


def test_the_vendors_two_readers_agree_on_both_forms_of_scalars(tmp_path: Path) -> None:
    read = []
    for form in ("simple", "tensor"):
        file = tmp_path / form / "events.out.tfevents.1.bench"
        file.parent.mkdir()
        write_events(file, EventsShape(20, scalars=2, form=form))
        for script in ("events_accumulator.py", "events_loader.py"):
            read.append(child.work(sys.executable, script, file, on_cores=1).outcome)
    assert all(differences(read[0], other) == [] for other in read[1:])


def test_whatever_two_programs_read_differently_is_told() -> None:
    ours: dict[str, Any] = {
        "scalars": {"loss": [2, 1.5, 17, 18]},
        "histograms": {"w": [1, 10.0, 19]},
        "images": {"i": [1, 50_000, 20, 21]},
        "time_us_sum": 4_000_000,
    }
    assert differences(ours, ours) == []
    for kind, tag in (("scalars", "loss"), ("histograms", "w"), ("images", "i")):
        for place in range(len(ours[kind][tag])):
            theirs = copy.deepcopy(ours)
            theirs[kind][tag][place] += 1
            (told,) = differences(ours, theirs)
            assert told.startswith(f"{kind} {tag}: ")
        theirs = copy.deepcopy(ours)
        del theirs[kind][tag]
        assert len(differences(ours, theirs)) == 1
    assert len(differences(ours, {**ours, "time_us_sum": 4_000_100})) == 1
    assert len(differences({**ours, "losses": ["one"]}, ours)) == 1


def test_a_kind_that_the_peer_reads_and_we_do_not_is_a_difference() -> None:
    one = child.Result(1.0, 1.0, 0, outcome={"scalars": {}, "time_us_sum": 0})
    theirs = {"scalars": {}, "images": {"i": [1, 1, 1, 1]}, "time_us_sum": 0}
    assert verdict(True, [one], theirs) == ("outputs differ", "we have no images")
    assert verdict(True, [one], {"scalars": {}, "time_us_sum": 0})[0] == "met"
