"""A field of an exact copy that is JSON, and not what the model holds there, is damage."""

from __future__ import annotations

import json
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from plain_folders import folder_of, written

from runferry.chunks import Artifact
from runferry.dialects import codec
from runferry.dialects.plain_folder.notes import reading_note
from runferry.errors import Damaged
from runferry.model import Attribute, Blob, Run, RunKey, Series
from runferry.ports import Location, ReadOptions
from runferry.registry import reader
from runferry.testing.samples import curve


def changed(file: Path, path: tuple[str, ...], value: object) -> None:
    """Put a value to this place of the first JSON object of a file."""
    first, *others = file.read_text("utf-8").split("\n") if file.suffix == ".jsonl" else (
        file.read_text("utf-8"),
    )  # fmt: skip
    tree: Any = json.loads(first)
    inner = tree
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    file.write_text("\n".join([json.dumps(tree), *others]), "utf-8")


def read_all(where: Location) -> None:
    with closing(reader(where.tracker).open(where, ReadOptions())) as opened:
        for _ in chain.from_iterable(map(opened.read, opened.runs())):
            pass


@pytest.mark.parametrize(
    ("file", "path", "value"),
    [
        ("run.json", ("uid",), ["x"]),
        ("run.json", ("run", "key", "scope"), {"a": 1}),
        ("run.json", ("run", "name"), 5),
        ("run.json", ("run", "complete"), "yes"),
        ("run.json", ("rows", "points"), float("inf")),
        ("series.jsonl", ("key",), ["loss"]),
    ],
)
def test_a_field_of_another_type_is_told_as_damage(
    tmp_path: Path, file: str, path: tuple[str, ...], value: object
) -> None:
    sample = curve(5)
    where = written("jsonl", tmp_path, [sample])
    read_all(where)
    changed(folder_of(where, sample) / file, path, value)
    with pytest.raises(Damaged, match=file):
        read_all(where)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("key", [["mlflow"], "", "r1"]),
        ("created_ns", "now"),
        ("state", []),
        ("tags", [1]),
        ("tags", "ab"),
        ("labels", [["a", 1]]),
    ],
)
def test_a_header_holds_what_the_model_holds_there(name: str, value: object) -> None:
    tree: Any = codec.run_tree(Run(RunKey("mlflow", "", "r1")))
    assert codec.run_of(tree) == Run(RunKey("mlflow", "", "r1"))
    with pytest.raises(TypeError):
        codec.run_of(tree | {name: value})


def test_a_series_holds_what_the_model_holds_there() -> None:
    tree: Any = codec.series_tree(Series("loss", ("loss",)))
    with pytest.raises(TypeError, match="x_axis is 5"):
        codec.series_of(tree | {"x_axis": 5})
    with pytest.raises(TypeError, match="no list of texts"):
        codec.series_of(tree | {"path": ["loss", 1]})


def test_the_path_of_an_attribute_and_the_aliases_of_an_artifact_are_texts() -> None:
    attribute: Any = codec.attribute_tree(Attribute(("lr",), "config", 0.5))
    with pytest.raises(TypeError, match="no list of texts"):
        codec.attribute_of(attribute | {"path": [["lr"]]})
    artifact: Any = codec.artifact_tree(Artifact("net", "model", "produced"), [])
    with pytest.raises(TypeError, match="no list of texts"):
        codec.artifact_of(artifact | {"aliases": [None]}, lambda _: Blob())


def test_a_number_without_end_is_no_size(tmp_path: Path) -> None:
    with pytest.raises(Damaged, match="cannot be read"), reading_note(tmp_path / "shown.json"):
        int(float("inf"))
