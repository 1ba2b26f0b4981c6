"""Whatever stands in metadata, summary and run record, every run is listed and read."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from wandb.proto import wandb_internal_pb2 as pb
from wandb_runs import (
    environment_record,
    exit_record,
    folder_with,
    gather,
    gather_all,
    history_record,
    opened,
    run_record,
    small_run,
    summary_record,
)

from runferry import tables
from runferry.dialects.times import rfc3339, seconds_ns, time_ns_of
from runferry.errors import SourceError
from runferry.model import instant
from runferry.readers.wandb import heads

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["2020-99-99T00:00:00", "0000-01-01T00:00:00Z", "2020-01-01T00:00:00+99:99"])
    | st.sampled_from([10**400, -(10**25), 2**62, 1e300])
)
ANYTHING = st.recursive(
    LEAVES,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=8), below),
    max_leaves=6,
)
TIMES = ANYTHING | st.fixed_dictionaries({"seconds": LEAVES, "nanos": LEAVES})
METADATA = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("startedAt", "heartbeatAt"), TIMES),
        **dict.fromkeys(("state", "exitcode", "username", "host", "jobType", "else"), ANYTHING),
    },
)
SUMMARY = st.dictionaries(st.sampled_from(["_runtime", "_wandb", "a"]), ANYTHING)


@settings(max_examples=80)
@given(METADATA, SUMMARY)
@example({"startedAt": "2020-99-99T00:00:00"}, {})
@example({"startedAt": {"seconds": "x"}, "state": {}}, {"_runtime": float("nan")})
def test_any_metadata_and_summary_are_read(
    metadata: dict[str, object], summary: dict[str, object]
) -> None:
    with tempfile.TemporaryDirectory() as home:
        folder = folder_with(Path(home), [exit_record()], "young")
        old = Path(home, "run-20190306_221046-old")
        old.mkdir()
        (old / "wandb-history.jsonl").write_text('{"a": 1}\n')
        for files in (folder / "files", old):
            (files / "wandb-metadata.json").write_text(json.dumps(metadata))
            (files / "wandb-summary.json").write_text(json.dumps(summary))
        found = gather_all(Path(home))
    assert {one.run.key.run_id for one in found} == {"young", "old"}
    for one in found:
        for run in (one.run, one.header):
            assert run.started is None or run.started.year in range(1677, 2263)
            assert run.ended is None or run.ended.year in range(1677, 2263)
        tables.dumps(one.position)


@settings(max_examples=80)
@given(
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-(2**31), 2**31 - 1),
    st.floats(),
    st.integers(-(2**31), 2**31 - 1),
    SUMMARY,
)
@example(2**40, 5, float("nan"), 0, {"_runtime": float("nan")})
@example(0, 0, 0.0, 0, {"_runtime": 10**400})
def test_any_run_record_is_read(
    seconds: int, nanos: int, branch: float, runtime: int, summary: dict[str, object]
) -> None:
    record = pb.Record()
    record.run.run_id = "r1"
    record.run.start_time.seconds, record.run.start_time.nanos = seconds, nanos
    record.run.branch_point.run, record.run.branch_point.value = "r0", branch
    records = [record, environment_record(seconds, nanos), summary_record(**summary)]
    with tempfile.TemporaryDirectory() as home:
        folder_with(Path(home), [*records, exit_record(1, runtime)])
        (found,) = gather_all(Path(home))
    assert found.header.complete
    assert found.header.started_ns is None or abs(found.header.started_ns) < 2**63


def test_a_time_beyond_all_years_is_a_loss_and_no_failure(tmp_path: Path) -> None:
    folder_with(tmp_path, [run_record("r1", 2**40), environment_record(2**40), exit_record()])
    (found,) = gather_all(tmp_path)
    assert found.header.started is None
    assert found.codes() == {"bad-time"}
    assert found.role("environment")[("started_at",)] == 2**40 * 10**9


def test_the_nanoseconds_of_the_environment_are_kept(tmp_path: Path) -> None:
    folder_with(tmp_path, [run_record("r1"), environment_record(1_600_000_000, 123_456_789)])
    (found,) = gather_all(tmp_path)
    assert found.role("environment")[("started_at",)] == "2020-09-13T12:26:40.123456789Z"


@given(ANYTHING)
def test_times_are_total(value: object) -> None:
    for found in (time_ns_of(value), seconds_ns(value)):
        assert found is None or -(2**63) < found < 2**63
    if isinstance(value, int):
        instant(value)
        text = rfc3339(value)
        assert text == value or time_ns_of(text) == value


def test_one_place_that_nobody_foresaw_leaves_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder_with(tmp_path, small_run("good"), "good")
    folder_with(tmp_path, [run_record("bad"), history_record(0, a=1)], "bad")
    understood = heads._beginning

    def fails(database: Path) -> object:
        if "bad" in database.name:
            raise KeyError("a bug")
        return understood(database)

    monkeypatch.setattr(heads, "_beginning", fails)
    reader = opened(tmp_path)
    runs = {run.key.run_id: run for run in reader.runs()}
    assert set(runs) == {"good", "bad"}
    assert gather(reader, runs["good"]).header.complete
    with pytest.raises(SourceError, match="a bug"):
        gather(reader, runs["bad"])
