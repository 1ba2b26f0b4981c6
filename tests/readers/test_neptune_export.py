"""Archives of neptune-exporter: every type, parts that are missing, rows in no order."""

from __future__ import annotations

import logging
import zipfile
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from gathered import Gathered, gather
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
    put_file,
    row,
    shuffled,
    sys_v3,
    write_part,
    write_run,
)

from runferry.anywhere import AnyReader
from runferry.dialects.neptune.names import part_name, path_of, san, text_of
from runferry.dialects.neptune.schema import EXPORT
from runferry.dialects.neptune.steps import joined_steps, millionths_of, split_steps
from runferry.errors import Damaged, NotFound, SourceChanged
from runferry.losses import Fate
from runferry.model import Fork
from runferry.ports import Location, ReadOptions
from runferry.readers.neptune.reader import NeptuneReader
from runferry.testing.content import Content, digest_of, everything
from runferry.testing.reader_contract import ReaderContract


def gather_all(root: Path, **options: Any) -> dict[str, Gathered]:
    reader = NeptuneReader.open(Location("neptune", str(root)), ReadOptions(**options))
    return {run.key.run_id: gather(reader, run) for run in reader.runs()}


def gather_one(root: Path, **options: Any) -> Gathered:
    (found,) = gather_all(root, **options).values()
    return found


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


def test_a_set_of_files_is_its_members_under_its_name(tmp_path: Path) -> None:
    old_run(tmp_path / "data")
    found = gather_one(tmp_path)
    assert set(found.files) == {
        "source_code/files/train.py",
        "source_code/files/lib/net.py",
        "weights",
    }
    assert {file.role for name, file in found.files.items() if name != "weights"} == {"source"}
    with found.files["source_code/files/lib/net.py"].blob.open() as content:  # type: ignore[misc]
        assert content.read() == b"net"


def test_a_damaged_archive_of_a_set_is_kept_as_it_is(tmp_path: Path) -> None:
    old_run(tmp_path / "data")
    (archive,) = tmp_path.rglob("files.zip")
    archive.write_bytes(archive.read_bytes()[:40])
    found = gather_one(tmp_path)
    assert "source_code/files/files.zip" in found.files
    assert "damaged-archive" in found.codes()


def test_an_artifact_is_what_it_tracks(tmp_path: Path) -> None:
    old_run(tmp_path / "data")
    (artifact,) = gather_one(tmp_path).artifacts
    assert (artifact.name, artifact.relation) == ("data", "used")
    first, second = artifact.entries
    assert (first.path, first.reference, first.digest) == ("a.csv", "file:///data/a.csv", "f" * 40)
    assert (second.reference, second.blob.is_missing) == ("S3:b.csv", True)


def test_a_missing_or_damaged_list_of_an_artifact_is_told(tmp_path: Path) -> None:
    old_run(tmp_path / "data")
    (listed,) = tmp_path.rglob("files_list.json")
    listed.write_text("[{]")
    assert "damaged-list" in gather_one(tmp_path).codes()
    listed.unlink()
    assert "missing-list" in gather_one(tmp_path).codes()


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


# --- order, size


@pytest.mark.parametrize("seed", range(3))
def test_rows_in_no_order_are_the_same_run(tmp_path: Path, seed: int) -> None:
    paths = full_run(tmp_path / "data")
    ordered = _unnumbered(gather_one(tmp_path))
    shuffled(paths, seed)
    assert _unnumbered(gather_one(tmp_path)) == ordered


def test_rows_in_no_order_are_read_of_their_own_folder_whatever_it_is_called(
    tmp_path: Path,
) -> None:
    """It is no pattern, and no column of the table."""
    home, like_it = tmp_path / "run_id=x [1]", tmp_path / "run_id=x 1"
    for place, value in ((home, 0.5), (like_it, 0.25)):
        rows = points("r", "m", [("1", value), ("0", value)])
        write_run(place / "data", "r", [*sys_v3("r"), *rows])
    assert gather_one(home).values("m") == [0.5, 0.5]


def _unnumbered(found: Gathered) -> dict[str, Any]:
    """Each series in its order, without the numbers of rows."""
    rows: dict[tuple[str, str], list[Any]] = {}
    for name in ("points", "texts", "histograms", "console"):
        for one in found.rows(name):
            one.pop("seq")
            rows.setdefault((name, one.get("key", one.get("stream"))), []).append(one)
    return {
        "rows": {name: [repr(one) for one in each] for name, each in rows.items()},
        "media": [(item.key, item.at.step, digest_of(item.blob)) for item in found.media],
        "attributes": found.attributes,
        "files": set(found.files),
    }


def test_rows_of_a_series_rise_in_steps_also_over_parts(tmp_path: Path) -> None:
    late = points("r", "loss", [(str(n), float(n)) for n in range(10, 20)])
    early = points("r", "loss", [(str(n), float(n)) for n in range(10)])
    write_run(tmp_path / "data", "r", [*sys_v3("r"), *late], early)
    found = gather_one(tmp_path)
    assert found.values("loss") == [float(n) for n in range(20)]
    numbers = [p["seq"] for p in found.points("loss")]
    assert numbers == sorted(set(numbers))


def test_parts_in_the_old_layout_hold_many_runs(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "team_vision"
    one = [*sys_v3("one"), *points("one", "loss", [("0", 1.0)])]
    two = [*sys_v3("two"), *points("two", "loss", [("0", 2.0)])]
    write_part(folder / "part_0.parquet", [*one, *two])
    write_part(folder / "part_1.parquet", points("two", "loss", [("1", 3.0)]))
    found = gather_all(tmp_path)
    assert {name: each.values("loss") for name, each in found.items()} == {
        "one": [1.0],
        "two": [2.0, 3.0],
    }
    assert not any("foreign-rows" in each.codes() for each in found.values())


def test_somebody_elses_part_0_is_none_of_ours(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), tmp_path / "part_0.parquet")
    assert not NeptuneReader.recognises(tmp_path)


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


# --- what is missing


def test_a_left_over_part_that_is_whole_is_read(tmp_path: Path) -> None:
    first, second = full_run(tmp_path / "data")
    whole = _unnumbered(gather_one(tmp_path))
    first.rename(f"{first}.tmp")  # part 0 is renamed last
    found = gather_one(tmp_path)
    assert _unnumbered(found) == whole
    assert "left-over-part" in found.codes()
    assert second.exists()


def test_a_left_over_part_that_was_cut_is_told_and_the_others_are_read(tmp_path: Path) -> None:
    first, second = full_run(tmp_path / "data")
    second.with_name(f"{second.name}.tmp").write_bytes(second.read_bytes()[:-9])
    second.unlink()
    found = gather_one(tmp_path)
    assert found.values("train.loss")
    assert not found.media
    (loss,) = (one for one in found.losses if one.code == "cut-part")
    assert loss.fate is Fate.DROPPED
    assert first.exists()


def test_a_run_of_which_nothing_is_whole_is_listed_and_fails(tmp_path: Path) -> None:
    first, second = full_run(tmp_path / "data")
    second.unlink()
    first.with_name(f"{first.name}.tmp").write_bytes(b"PAR1 and no end")
    first.unlink()
    reader = NeptuneReader.open(Location("neptune", str(tmp_path)), ReadOptions())
    (run,) = reader.runs()
    with pytest.raises(Damaged, match="no part of this run"):
        list(reader.read(run))


def test_a_part_that_is_gone_is_told(tmp_path: Path) -> None:
    write_run(tmp_path / "data", "r", sys_v3("r"), points("r", "m", [("0", 1.0)]), sys_v3("r"))
    (tmp_path / "data" / san(PROJECT) / part_name("r", 1)).unlink()
    (loss,) = (one for one in gather_one(tmp_path).losses if one.code == "missing-part")
    assert (loss.fate, loss.count) == (Fate.DROPPED, 1)


def test_a_part_cut_anywhere_is_told_and_what_is_whole_is_read(tmp_path: Path) -> None:
    first, second = full_run(tmp_path / "data")
    content = second.read_bytes()
    for length in range(0, len(content), max(1, len(content) // 40)):
        second.write_bytes(content[:length])
        found = gather_one(tmp_path)
        assert found.values("train.loss")
        (loss,) = (one for one in found.losses if one.code == "damaged-part")
        assert loss.fate is Fate.DROPPED
    assert first.exists()


def test_a_byte_flipped_anywhere_never_crashes(tmp_path: Path) -> None:
    first, second = full_run(tmp_path / "data")
    content = second.read_bytes()
    for place in range(0, len(content), max(1, len(content) // 60)):
        flipped = bytearray(content)
        flipped[place] ^= 0x55
        second.write_bytes(flipped)
        assert gather_one(tmp_path).values("train.loss")
    assert first.exists()


def test_paths_of_files_never_lead_out_of_the_projects_folder(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"s")
    put_file(tmp_path / "data", "r/x", b"x")
    rows = [
        row("r", name, kind, {"path": path})
        for name, path in (("up", "../../secret"), ("root", str(tmp_path / "secret")))
        for kind in ("file", "file_set", "artifact")
    ]
    write_run(tmp_path / "data", "r", [*sys_v3("r"), *rows])
    found = gather_one(tmp_path)
    assert all(file.blob.is_missing for file in found.files.values())
    assert all(not one.entries for one in found.artifacts)


def test_a_member_of_an_archive_may_be_called_anything(tmp_path: Path) -> None:
    old_run(tmp_path / "data")
    (archive,) = tmp_path.rglob("files.zip")
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("../../escaped.py", "x")
    found = gather_one(tmp_path)
    assert "source_code/files/../../escaped.py" in found.files  # a name, and never a place
    assert not list(tmp_path.rglob("escaped.py"))


def test_a_damaged_member_of_an_archive_is_an_error_that_names_it(tmp_path: Path) -> None:
    old_run(tmp_path / "data")
    (archive,) = tmp_path.rglob("files.zip")
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("train.py", "x" * 1000)
    archive.write_bytes(archive.read_bytes().replace(b"x" * 1000, b"y" * 1000))
    blob = gather_one(tmp_path).files["source_code/files/train.py"].blob
    assert blob.open is not None
    with blob.open() as stream, pytest.raises(OSError, match=r"train\.py is damaged"):
        stream.read()


def test_files_that_lie_nowhere_are_missing_bytes(tmp_path: Path) -> None:
    full_run(tmp_path / "data")
    (tmp_path / "files").rename(tmp_path / "elsewhere")
    found = gather_one(tmp_path)
    assert all(file.blob.is_missing for file in found.files.values())
    assert all(item.blob.is_missing for item in found.media)


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


def test_rows_of_another_run_in_a_part_are_told(tmp_path: Path) -> None:
    write_run(tmp_path / "data", "r", [*sys_v3("r"), *points("s", "m", [("0", 1.0)])])
    found = gather_one(tmp_path)
    assert not found.rows("points")
    (loss,) = (one for one in found.losses if one.code == "foreign-rows")
    assert (loss.fate, loss.count) == (Fate.DROPPED, 1)


def test_an_export_that_changed_is_refused(tmp_path: Path) -> None:
    full_run(tmp_path / "data")
    reader = NeptuneReader.open(Location("neptune", str(tmp_path)), ReadOptions())
    (run,) = reader.runs()
    cursor = gather(reader, run).cursor()
    assert gather(reader, run, cursor).count == 2
    write_run(tmp_path / "data", "swift-owl", sys_v3("swift-owl"))
    with pytest.raises(SourceChanged):
        gather(reader, run, cursor)


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


def test_one_part_is_a_source_by_itself(tmp_path: Path) -> None:
    first, _ = full_run(tmp_path / "data")
    assert NeptuneReader.recognises(first)
    assert gather_one(first).values("train.loss")
    with pytest.raises(NotFound):
        NeptuneReader.open(Location("neptune", str(tmp_path / "files")), ReadOptions()).open(
            Location("neptune", str(tmp_path / "files" / "none")), ReadOptions()
        )


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
    reader = NeptuneReader.open(Location("neptune", str(tmp_path)), ReadOptions())
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
