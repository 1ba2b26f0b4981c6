"""What ClearML is shown of a run: numbers, names, times and files, without our own copy."""

from __future__ import annotations

import json
import math
import struct
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runferry.chunks import Attributes, Media, SeriesFacts
from runferry.dialects.clearml.names import SINGLE_ITERATION
from runferry.dialects.clearml.parameters import spelled, value_of
from runferry.model import (
    Address,
    Attribute,
    Blob,
    MediaItem,
    Run,
    RunKey,
    Series,
    Tree,
    same_value,
)
from runferry.ports import Location
from runferry.readers.row_batches import PointRows, scalar_of
from runferry.tables import POINTS, conform
from runferry.testing.recording import Sample
from runferry.testing.samples import console, curve, files, histograms, media, names, values
from runferry.writers.clearml import ClearmlWriter
from runferry.writers.clearml.event_file import EventFile
from runferry.writers.clearml.rising import Rising
from runferry.writers.clearml.session_zip import Member
from runferry.writers.clearml.task_json import Parameters
from runferry.writers.clearml.titles import Titles


def authored(root: Path, sample: Sample) -> Path:
    writer = ClearmlWriter.open(Location("clearml", str(root)))
    remote = writer.create(sample.run, sample.run.uid)
    for number, chunk in enumerate(sample.chunks):
        writer.append(remote, number, chunk)
    writer.seal(remote, sample.run)
    folder = writer.folder(remote)
    writer.close()
    assert folder is not None
    return folder


def events_of(folder: Path, name: str = "metrics.jsonl") -> list[dict[str, Any]]:
    if not (folder / name).exists():
        return []
    with (folder / name).open() as lines:
        return [event for line in lines for event in json.loads(line)]


Row = tuple[int, int | None, int | None, float | None]  # series, step, µs, value

NUMBERS: st.SearchStrategy[float] = (
    st.floats(allow_nan=True, allow_infinity=True)
    | st.integers(-(2**63), 2**63 - 1)
    | st.booleans()
    | st.sampled_from([-0.0, 0.0, 1e15, 2.0**53, -(2.0**53), 5e-324, 1.7e308, 0.1])
)
LOGGED: st.SearchStrategy[Row] = st.tuples(
    st.integers(0, 3),
    st.none() | st.integers(-3, 12) | st.integers(-(2**63), 2**63 - 1),
    st.none() | st.integers(-(2**62), 2**62),
    st.none() | NUMBERS,
)
TITLES = st.lists(st.tuples(st.text(), st.text(max_size=400)), min_size=4, max_size=4, unique=True)


def points(found: list[Row], first: int) -> pa.RecordBatch:
    rows = PointRows()
    for seq, (series, step, time_us, value) in enumerate(found, first):
        scalar = scalar_of(value)
        assert scalar is not None
        at = Address(seq, step, None, None if time_us is None else time_us * 1000)
        rows.add(str(series), at, scalar)
    return conform(rows.record_batch(), POINTS)


def by_json(events: list[dict[str, Any]]) -> list[str]:
    """As they are to the last bit: Python's `json` tells −0.0 and NaN too."""
    return [json.dumps(event, sort_keys=True) for event in events]


@given(
    st.lists(st.lists(LOGGED, max_size=30), max_size=5),
    TITLES,
    st.booleans(),
    st.lists(st.integers(0, 4), max_size=2),
)
def test_events_are_what_python_would_say_packed_or_not(
    batches: list[list[Row]], titles: list[tuple[str, str]], is_finite: bool, between: list[int]
) -> None:
    """Whatever the names, numbers, steps and times, and with other lines anywhere between them."""
    expected: list[dict[str, Any]] = []
    rising = Rising()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        member = Member(folder / "session.zip", "metrics.jsonl")
        file = EventFile(folder / "metrics.jsonl", "id", is_finite=is_finite, packed=member)
        fewest = most = seq = 0
        for number, rows in enumerate(batches):
            file.scalars(points(rows, seq), lambda key: titles[int(key)])
            for place_in_run, (series, step, time_us, value) in enumerate(rows, seq):
                if value is None or (is_finite and not math.isfinite(value)):
                    continue
                shown = float(value) if isinstance(value, bool) else value
                event = scalar_event(titles[series], place_in_run if step is None else step, shown)
                event |= {} if time_us is None else {"timestamp": time_us // 1000}
                expected.append(event)
                most += 1
                fewest += rising.is_new(series, event["iter"])
            seq += len(rows)
            if number in between:
                file.add("plot", {"metric": "m", "variant": "v", "iter": number, "plot_str": "x"})
                expected.append({
                    "type": "plot", "task": "id", "metric": "m", "variant": "v", "iter": number,
                    "plot_str": "x",
                })  # fmt: skip
                file.add_all("plot", ())
        file.close()
        assert by_json(sorted_by_type(expected)) == by_json(sorted_by_type(events_of(folder)))
        assert file.spans.get("training_stats_scalar", (0, 0)) == (fewest, most)
        with zipfile.ZipFile(folder / "session.zip", "a") as packed:
            member.listed_in(packed)
        with zipfile.ZipFile(folder / "session.zip") as packed:
            metrics = folder / "metrics.jsonl"
            text = metrics.read_bytes() if metrics.exists() else b""
            assert packed.read("metrics.jsonl") == text


def scalar_event(title: tuple[str, str], step: int, value: float) -> dict[str, Any]:
    head = {"type": "training_stats_scalar", "task": "id", "metric": title[0], "variant": title[1]}
    return head | {"iter": step, "value": value}


def sorted_by_type(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What is no scalar waits for its line."""
    return sorted(events, key=lambda event: str(event["type"]))


def test_long_files_are_packed_as_they_are(tmp_path: Path) -> None:
    """Beyond a line's events, a buffer's bytes and what a repeat may reach back."""
    member = Member(tmp_path / "session.zip", "metrics.jsonl")
    file = EventFile(tmp_path / "metrics.jsonl", "id", packed=member)
    names = [f"{number}" * number for number in range(1, 40)]
    rows: list[Row] = [
        (row % 39 if row % 2 else row // 300, row, 10**15 + 977 * row, row / 7)
        for row in range(11_700)
    ]
    file.scalars(points(rows, 0), lambda key: ("train", names[int(key)]))
    file.close()
    with zipfile.ZipFile(tmp_path / "session.zip", "a") as packed:
        member.listed_in(packed)
    found = events_of(tmp_path)
    assert [event["value"] for event in found] == [value for *_, value in rows]
    with zipfile.ZipFile(tmp_path / "session.zip") as packed:
        assert packed.read("metrics.jsonl") == (tmp_path / "metrics.jsonl").read_bytes()
        (info,) = packed.infolist()
        assert info.compress_size * 5 < info.file_size


@given(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text())
def test_a_parameter_is_what_its_type_says(value: Tree) -> None:
    text, kind = spelled(value)
    assert same_value(value_of(text, kind), value)


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("012", "int", "012"), ("x", "float", "x"), ("Yes", "bool", "Yes"), ("", "str", ""),
        ("1e999", "float", "1e999"), ("[1, 2", "list/int", "[1, 2"), ("{}", "dict", {}),
        ("(1, 2)", "tuple", "(1, 2)"),
    ],
)  # fmt: skip
def test_a_text_that_its_type_does_not_fit_stays_a_text(text: str, kind: str, value: Tree) -> None:
    assert value_of(text, kind) == value


def test_no_two_series_have_one_place() -> None:
    paths = [("a", "b"), ("a/b",), ("a", "b~2"), ("a.b",), ("a",), ("a", "a"), ("/x",), ("x/",)]
    series = {".".join(path) + str(n): Series(str(n), path) for n, path in enumerate(paths)}
    titles = Titles(series)
    found = [titles.of(key) for key in series]
    assert len({*found}) == len(paths)
    assert found[:2] == [("a", "b"), ("a", "b~2")]
    assert found == [titles.of(key) for key in series]
    assert [loss.code for loss in titles.renamed] == ["renamed-key"] * len(titles.renamed)
    assert titles.renamed


def test_no_two_numbers_of_the_summary_have_one_name(tmp_path: Path) -> None:
    paths = [("a/b",), ("a", "b"), ("a/b~2",)]
    items = tuple(Attribute(path, "summary", number) for number, path in enumerate(paths))
    sample = Sample(Run(RunKey("x", "", "1")), (Attributes(items),))
    shown = {
        event["variant"]: event["value"] for event in events_of(authored(tmp_path, sample))
        if event["iter"] == SINGLE_ITERATION
    }  # fmt: skip
    assert shown == {"a/b": 0, "a/b~2": 1, "a/b~2~2": 2}


def test_no_two_parameters_have_one_place() -> None:
    paths = [("General", "lr"), ("lr",), ("a", "b/c"), ("a", "b", "c")]
    items = [Attribute(path, "config", number) for number, path in enumerate(paths)]
    found = Parameters(Run(RunKey("x", "", "1")), items)
    told = {
        (section, name, item["value"])
        for section, items in found.sections.items()
        for name, item in items.items()
        if section != "Origin"
    }
    assert told == {
        ("General", "lr", "0"), ("General", "lr~2", "1"), ("a", "b/c", "2"), ("a", "b/c~2", "3"),
    }  # fmt: skip
    assert len(found.renamed) == 2


def test_past_times_steps_and_values_are_kept(tmp_path: Path) -> None:
    sample = curve(40)
    events = [e for e in events_of(authored(tmp_path, sample)) if e["iter"] != SINGLE_ITERATION]
    rows = [
        row
        for chunk in sample.chunks
        if hasattr(chunk, "batch") and "value" in chunk.batch.schema.names
        for row in conform(chunk.batch, POINTS).to_pylist()
    ]
    assert len(events) == len(rows)
    for event, row in zip(events, rows, strict=True):
        assert event["iter"] == row["step"]
        assert event["timestamp"] == int(row["time"].timestamp() * 1000)
        assert struct.pack(">d", event["value"]) == struct.pack(">d", row["value"])


def test_nan_and_infinities_stay(tmp_path: Path) -> None:
    found = [event["value"] for event in events_of(authored(tmp_path, values()))]
    assert any(map(math.isnan, found))
    assert {math.inf, -math.inf} <= {*found}


@pytest.mark.parametrize("sample", [media(), files(), console(), names()])
def test_the_session_names_what_is_there(tmp_path: Path, sample: Sample) -> None:
    """Every file that the task or an event names is in the session, and in its zip."""
    folder = authored(tmp_path, sample)
    task = json.loads((folder / "task.json").read_bytes())
    assert task["id"] == folder.name
    assert task["offline_folder"] == str(folder)
    uris = [item["uri"] for item in task["execution"]["artifacts"]]
    uris += [event["url"] for event in events_of(folder) if "url" in event]
    with zipfile.ZipFile(folder.with_name(f"{folder.name}.zip")) as packed:
        members = {*packed.namelist()}
    for uri in uris:
        assert Path(uri).is_file()
        assert str(Path(uri).relative_to(folder)) in members
    assert not any(name.startswith("runferry/") for name in members)
    assert {"task.json", "metrics.jsonl"} <= members


def test_a_histogram_is_a_plot_that_a_browser_can_parse(tmp_path: Path) -> None:
    """JSON of browsers has no NaN: what is no number is a gap."""
    plots = [event["plot_str"] for event in events_of(authored(tmp_path, histograms()))]
    found = [json.loads(plot, parse_constant=pytest.fail) for plot in plots]
    bars = [plot["data"][0] for plot in found]
    assert [None in bar["x"] for bar in bars] == [False, True, False, False]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_a_plot_that_was_logged_is_one_that_a_browser_can_parse(
    tmp_path: Path, number: str
) -> None:
    plot = f'{{"data": [{{"y": [1.5, {number}]}}], "layout": {{"title": "é"}}}}'
    item = MediaItem("plot", Address(0, 0), "plot", Blob.from_bytes(plot.encode()))
    series = SeriesFacts((Series("plot", ("plot",), kind="media"),))
    folder = authored(tmp_path, Sample(values().run, (series, Media((item,)))))
    (shown,) = (event["plot_str"] for event in events_of(folder))
    found = json.loads(shown, parse_constant=pytest.fail)
    assert found == {"data": [{"y": [1.5, None]}], "layout": {"title": "é"}}
