"""What ClearML is shown of a run: numbers, names, times and files, without our own copy."""

from __future__ import annotations

import json
import math
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runferry.chunks import Attributes
from runferry.dialects.clearml.names import SINGLE_ITERATION
from runferry.dialects.clearml.parameters import spelled, value_of
from runferry.model import Address, Attribute, Run, RunKey, Series, Tree, same_value
from runferry.ports import Location
from runferry.readers.row_batches import PointRows, scalar_of
from runferry.tables import POINTS, conform
from runferry.testing.recording import Sample
from runferry.testing.samples import console, curve, files, media, names, values
from runferry.writers.clearml import ClearmlWriter
from runferry.writers.clearml.number_texts import number_texts
from runferry.writers.clearml.rising import Rising
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
    with (folder / name).open() as lines:
        return [event for line in lines for event in json.loads(line)]


def points(found: list[Tree]) -> pa.RecordBatch:
    rows = PointRows()
    for seq, value in enumerate(found):
        scalar = scalar_of(value)
        assert scalar is not None
        rows.add("k", Address(seq), scalar)
    return conform(rows.record_batch(), POINTS)


@given(
    st.lists(
        st.floats(allow_nan=True, allow_infinity=True)
        | st.integers(-(2**63), 2**63 - 1)
        | st.sampled_from([-0.0, 0.0, 1e15, 2.0**53, -(2.0**53), 5e-324, 1.7e308, 0.1]),
        min_size=1,
    )
)
def test_every_number_is_spelled_so_that_json_gives_it_back(found: list[float]) -> None:
    texts = number_texts(points(list(found))).to_pylist()
    for value, text in zip(found, texts, strict=True):
        assert same_value(json.loads(text), value), (value, text)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(-3, 12)), min_size=1, max_size=40),
    st.integers(1, 7),
)
def test_rising_rows_are_never_more_than_there_are_iterations(
    rows: list[tuple[int, int]], size: int
) -> None:
    """The same as one by one, and a lower bound of what a server keeps."""
    columns, single = Rising(), Rising()
    names_of = ["a", "b", "c", "d"]
    total = 0
    for start in range(0, len(rows), size):
        part = np.array(rows[start : start + size])
        total += columns.count(names_of, part[:, 0], part[:, 1])
    assert total == sum(single.is_new(names_of[code], step) for code, step in rows)
    assert total <= len(set(rows))


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
