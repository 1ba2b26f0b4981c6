"""Archives of neptune-exporter: every type, parts that are missing, rows in no order."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from neptune_exports import (
    BEGAN,
    PNG,
    PROJECT,
    atoms,
    bins,
    full_run,
    old_run,
    points,
    row,
    shuffled,
    sys_v3,
    write_part,
    write_run,
)
from neptune_gathered import gather_all, gather_one, neptune_at

from runferry.anywhere import AnyReader
from runferry.dialects.neptune.names import part_name, path_of, san, text_of
from runferry.dialects.neptune.schema import EXPORT
from runferry.dialects.neptune.steps import joined_steps, millionths_of, split_steps
from runferry.losses import Fate
from runferry.model import Fork
from runferry.ports import Location, ReadOptions
from runferry.readers.neptune.reader import NeptuneReader
from runferry.testing.content import Content, digest_of, everything
from runferry.testing.reader_contract import ReaderContract


class TestNeptuneExport(ReaderContract):
    reader = NeptuneReader

    @pytest.fixture
    def source(self, tmp_path: Path) -> Location:
        full_run(tmp_path / "exports" / "data")
        old_run(tmp_path / "exports" / "data")
        return Location("neptune", str(tmp_path / "exports"))

    @classmethod
    def sized(cls, folder: Path, rows: int) -> Location:
        data = folder / "data"
        path = data / san(PROJECT) / part_name("big", 0)
        path.parent.mkdir(parents=True)
        head = pa.Table.from_pylist(sys_v3("big"), schema=EXPORT)
        with pq.ParquetWriter(path, EXPORT, compression="snappy") as writer:
            writer.write_table(head)
            for begin in range(0, rows, 5000):
                found = [(str(n), n / 7) for n in range(begin, min(rows, begin + 5000))]
                writer.write_table(
                    pa.Table.from_pylist(points("big", "loss", found), schema=EXPORT)
                )
        return Location("neptune", str(folder))


# --- what is kept


def test_every_type_arrives_with_its_values(tmp_path: Path) -> None:
    full_run(tmp_path / "data")
    found = gather_one(tmp_path)
    assert found.role("config") == {
        ("params", "lr"): 0.1,
        ("params", "n"): 2**60,
        ("params", "flag"): True,
        ("params", "when"): BEGAN,
        ("params", "words"): ["x", "y"],
        ("params", "s"): "",
    }
    assert [(p["step"], p["step_frac"]) for p in found.points("val.loss")] == [
        (0, 1),
        (3, None),
        (7, 500_000),
    ]
    assert found.values("val.loss") == [0.5, None, float("inf")]
    assert [t["text"] for t in found.rows("texts")] == ["first", ""]
    whole, density = found.rows("histograms")
    assert (whole["edges"], whole["counts"]) == ([0.0, 1.0, 2.0], [1.0, 2.0])
    assert (whole["counts_kind"], whole["extra"]) == ("int", None)
    assert (density["counts_kind"], density["extra"]) == ("float64", '{"type": "DENSITY"}')
    assert [digest_of(item.blob) for item in found.media] == [
        digest_of(type(item.blob).from_bytes(PNG + bytes([n])))
        for n, item in enumerate(found.media)
    ]
    assert [item.at.step for item in found.media] == [0, 1]
    assert found.files["report.html"].blob.size == 6
    assert found.files["gone.bin"].blob.is_missing
    assert "missing-bytes" in found.codes()


def test_times_are_those_of_the_rows(tmp_path: Path) -> None:
    full_run(tmp_path / "data")
    times = [p["time"] for p in gather_one(tmp_path).points("train.loss")]
    assert times == [BEGAN + timedelta(seconds=n) for n in range(20)]


def test_a_time_beyond_the_years_is_the_nearest_there_is_and_told(tmp_path: Path) -> None:
    (part,) = write_run(
        tmp_path, "r1", sys_v3("r1") + atoms("r1", {"expires": BEGAN, "ends": BEGAN})
    )
    table = pq.read_table(part)
    names = table.column("attribute_path").to_pylist()
    kept = table.column("datetime_value").cast(pa.int64()).to_pylist()
    kept[names.index("expires")] = 300_000_000_000_000  # in the year 11,476
    times = pa.array(kept, pa.int64()).cast(EXPORT.field("datetime_value").type)
    at = table.schema.get_field_index("datetime_value")
    pq.write_table(table.set_column(at, EXPORT.field(at), times), part)
    found = gather_one(tmp_path)
    (value,) = (v for (_, path), v in found.attributes.items() if path == ("expires",))
    assert value == datetime.max.replace(tzinfo=UTC)
    told = [loss for loss in found.losses if loss.fate > Fate.KEPT]
    assert [(loss.code, loss.fate, loss.where) for loss in told] == [
        ("time-beyond-years", Fate.ROUNDED, "expires")
    ]


def test_sys_becomes_the_header_and_stays_besides(tmp_path: Path) -> None:
    full_run(tmp_path / "data")
    found = gather_one(tmp_path)
    header = found.header
    assert header == found.run
    assert (header.key.scope, header.key.run_id) == (PROJECT, "swift-owl")
    assert (header.entity, header.project, header.name) == ("team", "vision", "baseline")
    assert (header.tags, header.group) == (("a", "b"), "g")
    assert (header.notes, header.user) == ("the first one", "somebody")
    assert header.created == BEGAN
    assert header.forked_from == Fork("old-owl", 7)
    assert found.role("other")["sys", "forking", "step"] == 7.25
    assert found.role("other")["sys", "modification_time"] == BEGAN + timedelta(hours=2)


@pytest.mark.parametrize(
    ("sys", "state", "is_complete"),
    [
        ({"state": "Active"}, "running", False),
        ({"state": "Inactive"}, "finished", True),
        ({"state": "Inactive", "failed": True}, "failed", True),
        ({"state": "idle"}, "finished", True),
        ({"failed": True}, "failed", False),
        ({}, "unknown", False),
    ],
)
def test_the_state_is_what_the_source_says(
    tmp_path: Path, sys: dict[str, Any], state: str, is_complete: bool
) -> None:
    write_run(tmp_path / "data", "r", sys_v3("r", **sys))
    header = gather_one(tmp_path).header
    assert (header.state, header.complete) == (state, is_complete)


def test_lines_of_the_console_are_the_console_and_can_be_put_back(tmp_path: Path) -> None:
    full_run(tmp_path / "data")
    old_run(tmp_path / "data")
    found = gather_all(tmp_path)
    lines = [(one["stream"], one["line"]) for one in found["swift-owl"].rows("console")]
    assert lines == [("stdout", f"line {n}\n") for n in range(3)]
    assert found["swift-owl"].role("other")["neptune", "console", "stdout"] == {
        "attribute": "runtime/stdout",
        "first step": 1e-06,
        "stride": 1e-06,
        "line ends added": True,
    }
    assert [one["line"] for one in found["VIS-7"].rows("console")] == ["a", "b"]
    assert found["VIS-7"].role("other")["neptune", "console", "stdout"] == {
        "attribute": "monitoring/stdout",
        "first step": 0.0,
        "stride": 1.0,
        "line ends added": False,
    }


def test_a_console_whose_steps_say_more_stays_a_series(tmp_path: Path) -> None:
    lines = points("r", "monitoring/stdout", [("0", "a"), ("5", "b"), ("6", "c")], "string_series")
    write_run(tmp_path / "data", "r", [*sys_v3("r"), *lines])
    found = gather_one(tmp_path)
    assert not found.rows("console")
    assert [(t["step"], t["text"]) for t in found.rows("texts")] == [(0, "a"), (5, "b"), (6, "c")]
    assert found.series["monitoring.stdout"].stream == "system"


def test_two_consoles_stay_two_series(tmp_path: Path) -> None:
    lines = [
        each
        for name in ("a", "b")
        for each in points("r", f"monitoring/{name}/stdout", [("0", name)], "string_series")
    ]
    write_run(tmp_path / "data", "r", [*sys_v3("r"), *lines])
    found = gather_one(tmp_path)
    assert not found.rows("console")
    assert sorted(t["text"] for t in found.rows("texts")) == ["a", "b"]


def test_types_that_nobody_taught_us_are_raw_records(tmp_path: Path) -> None:
    odd = row("r", "x/y", "tensor", {"path": "p"})
    write_run(tmp_path / "data", "r", [*sys_v3("r"), odd])
    (raw,) = gather_one(tmp_path).raws
    assert raw.record_type == "neptune tensor"
    assert b'"attribute_path":"x/y"' in raw.payload


def test_two_types_of_one_path_are_told_apart(tmp_path: Path) -> None:
    rows = [
        *atoms("r", {"a": 1}),
        row("r", "a", "string", "one"),
        *points("r", "m", [("0", 1.0)]),
        *points("r", "m", [("0", "t")], "string_series"),
    ]
    write_run(tmp_path / "data", "r", rows)
    found = gather_one(tmp_path)
    assert found.role("config") == {("a",): 1, ("a", "string"): "one"}
    assert found.values("m") == [1.0]
    assert {series.path for series in found.series.values()} == {("m",), ("m", "string_series")}
    assert sum(loss.code == "same-path" for loss in found.losses) == 2


def test_every_run_says_that_it_may_be_incomplete(tmp_path: Path) -> None:
    full_run(tmp_path / "data")
    (loss,) = (one for one in gather_one(tmp_path).losses if one.code == "maybe-incomplete")
    assert loss.fate is Fate.KEPT


@given(
    st.lists(
        st.one_of(
            st.none(),
            st.decimals(-(10**12) + 1, 10**12 - 1, allow_nan=False, places=6),
        ),
        max_size=20,
    ),
    st.integers(0, 3),
)
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_steps_go_both_ways_exactly(steps: list[Decimal | None], offset: int) -> None:
    column = pa.array(steps, pa.decimal128(18, 6))[min(offset, len(steps)) :]
    step, fraction = split_steps(*millionths_of(column))
    assert joined_steps(step, fraction).to_pylist() == column.to_pylist()
    for whole, part, exact in zip(
        step.to_pylist(), fraction.to_pylist(), column.to_pylist(), strict=True
    ):
        if exact is None:
            assert whole is None
        else:
            assert whole + Decimal(part or 0) / 1_000_000 == exact
            assert part is None or 0 < part < 1_000_000


@given(st.text())
def test_paths_go_both_ways_exactly(text: str) -> None:
    assert text_of(path_of(text)) == text


def test_names_of_files_are_those_of_the_exporter() -> None:
    assert san("org/project") == "org_project-6a1b0e2b1f0f0a5a"[:12] + san("org/project")[12:]
    assert san("a/b") != san("a_b")
    assert san("süß").startswith("süß-")


@pytest.mark.parametrize("column", ["attribute_type", "attribute_path"])
def test_rows_without_a_name_or_a_type_are_told_wherever_they_stand(
    tmp_path: Path, column: str
) -> None:
    """Also in a group of rows that has nothing else but one type of series."""
    known = sys_v3("r")
    (path, *_) = write_run(tmp_path / "data", "r", known)
    rows = points("r", "m", [(str(step), 0.5) for step in range(len(known))])
    rows[3][column] = None
    write_part(path, [*known, *rows], group_rows=len(known))
    found = gather_one(tmp_path)
    (loss,) = (one for one in found.losses if one.code == "nameless-row")
    assert (loss.fate, loss.count) == (Fate.DROPPED, 1)
    assert len(found.values("m")) == len(known) - 1


def test_an_attribute_with_two_values_keeps_the_last_and_tells_it(tmp_path: Path) -> None:
    rows = [*sys_v3("r"), *atoms("r", {"a": 1, "b": 2}), *atoms("r", {"a": 3, "b": 2})]
    write_run(tmp_path / "data", "r", rows)
    found = gather_one(tmp_path)
    assert found.role("config") == {("a",): 3, ("b",): 2}
    (loss,) = (one for one in found.losses if one.code == "replaced-attribute")
    assert (loss.fate, loss.where, loss.count) == (Fate.DROPPED, "a", 1)


# --- clocks, places


def test_local_times_of_an_old_export_are_read_in_the_zone_that_is_named(tmp_path: Path) -> None:
    old_run(tmp_path / "data")
    full_run(tmp_path / "data")
    found = gather_all(tmp_path, timezone=ZoneInfo("Europe/Berlin"))
    assert found["VIS-7"].points("loss")[0]["time"] == BEGAN - timedelta(hours=1)
    assert found["swift-owl"].points("train.loss")[0]["time"] == BEGAN
    assert "local-times" in found["VIS-7"].codes()
    assert found["VIS-7"].header.created == BEGAN
    again = gather_all(tmp_path, timezone=UTC)
    assert again["VIS-7"].points("loss")[0]["time"] == BEGAN


def test_models_are_left_out_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    full_run(tmp_path / "data")
    old_run(tmp_path / "model_data", "VIS-MOD", "models")
    with caplog.at_level(logging.WARNING):
        assert set(gather_all(tmp_path)) == {"swift-owl"}
    assert "runferry ls neptune-models:" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        kinds = {
            run.kind for run in AnyReader.open(Location("any", str(tmp_path)), ReadOptions()).runs()
        }
    assert kinds == {"run", "model"}
    assert not caplog.text, "one reader leaves out what another lists"


def test_projects_that_spell_alike_stay_two(tmp_path: Path) -> None:
    for project in ("ws/a", "ws_a"):
        rows = [{**one, "project_id": project} for one in sys_v3("r")]
        write_run(tmp_path / "data", "r", rows, project=project)
    reader = neptune_at(tmp_path)
    assert {str(run.key) for run in reader.runs()} == {"ws/a/r", "ws_a/r"}


def test_reading_it_twice_gives_the_same_content(tmp_path: Path) -> None:
    paths = full_run(tmp_path / "data")
    shuffled(paths)
    where = Location("neptune", str(tmp_path))
    first, second = everything(NeptuneReader, where), everything(NeptuneReader, where)
    assert _comparable(first) == _comparable(second)


def _comparable(found: dict[str, Content]) -> dict[str, Any]:
    return {name: each.comparable() for name, each in found.items()}


def test_histograms_of_odd_counts_keep_what_they_have(tmp_path: Path) -> None:
    odd = [("0", bins([0.5])), ("1", {"type": None, "edges": None, "values": None}), ("2", None)]
    write_run(tmp_path / "data", "r", [*sys_v3("r"), *points("r", "h", odd, "histogram_series")])
    rows = gather_one(tmp_path).rows("histograms")
    assert [one["counts"] for one in rows] == [[0.5], None, None]
    assert [one["counts_kind"] for one in rows] == ["float64"] * 3
