"""YAML of others: values as their writers meant them, no tag acted on, nothing without bound."""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

import pytest
import yaml

from runferry.dialects.yaml_trees import parse_yaml


def bomb(levels: int) -> str:
    """Aliases of aliases: nine times as many values on each level."""
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    for level in range(1, levels):
        lines.append(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]")
    return "\n".join(lines)


@pytest.mark.parametrize(
    "value",
    [
        {"lr": 1e-05, "big": 2**200, "off": "off", "n": None, "empty": {}, "list": [], "b": True},
        {
            "nested": {"deep": [1, {"x": -0.0}], "text": "a: b\n# c"},
            "1.5": "1.5",
            "date": "2024-01-02",
        },
        {"inf": math.inf, "minus": -math.inf, "zero": 0, "bytes": b"\x00\xff"},
        [1, [2, [3]]],
        "only text",
        None,
    ],
)
def test_what_pyyaml_writes_is_read_as_it_was(value: object) -> None:
    assert parse_yaml(yaml.safe_dump(value)).value == value


def test_no_tag_is_acted_on_and_each_is_told(tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    text = (
        f"run: !!python/object/apply:pathlib.Path.touch [{mark}]\n"
        "pair: !!python/tuple [1, 2]\n"
        "kind: !!python/name:os.system ''\n"
    )
    tree = parse_yaml(text + yaml.dump({"space": argparse.Namespace(lr=0.5)}))
    assert not mark.exists()
    assert tree.value == {
        "run": [str(mark)],
        "pair": [1, 2],
        "kind": "",
        "space": {"lr": 0.5},
    }
    assert [path for path, _ in tree.tags] == [("run",), ("pair",), ("kind",), ("space",)]
    assert tree.tags[1][1] == "tag:yaml.org,2002:python/tuple"


def test_flavours_differ_where_their_readers_do() -> None:
    text = "a: 1e-5\nb: no\nc: 0o17\nd: 1.5e3\ne: 010\nf: 0x1f\ng: 1_000\nh: .inf"
    told = [
        list(parse_yaml(text, flavour).value.values()) for flavour in ("1.1", "omegaconf", "1.2")
    ]  # type: ignore[union-attr]
    assert told[0] == ["1e-5", False, "0o17", "1.5e3", 8, 31, 1000, math.inf]
    assert told[1] == [1e-5, False, "0o17", 1500.0, 8, 31, 1000, math.inf]
    assert told[2] == [1e-5, "no", 15, 1500.0, 10, 31, "1_000", math.inf]


def test_interpolations_stay_texts() -> None:
    assert parse_yaml("a: ${b.c}\nd: '${oc.env:HOME}'", "omegaconf").value == {
        "a": "${b.c}",
        "d": "${oc.env:HOME}",
    }


def test_aliases_and_merges_are_what_they_stand_for() -> None:
    text = (
        "base: &b {x: 1, y: 2}\nother: {<<: *b, y: 3}\nagain: *b\nseveral: {<<: [*b, {z: 4, x: 9}]}"
    )
    assert parse_yaml(text).value == {
        "base": {"x": 1, "y": 2},
        "other": {"x": 1, "y": 3},
        "again": {"x": 1, "y": 2},
        "several": {"x": 1, "y": 2, "z": 4},
    }


def test_keys_are_as_they_are_written_and_one_that_comes_again_is_told() -> None:
    tree = parse_yaml("1: a\ntrue: b\nnull: c\n1: d\nx: {y: 1, y: 2}")
    assert tree.value == {"1": "d", "true": "b", "null": "c", "x": {"y": 2}}
    assert tree.repeated == (("1",), ("x", "y"))


def test_an_anchor_of_a_key_is_for_keys_and_values_behind_it() -> None:
    tree = parse_yaml("&k lr: 1\nname: *k\n&n 7: x\nseven: *n\nagain: {*k : 2, *n : 3}")
    assert tree.value == {
        "lr": 1, "name": "lr", "7": "x", "seven": 7, "again": {"lr": 2, "7": 3},
    }  # fmt: skip


def test_a_tag_of_a_key_is_told_and_the_key_stays_as_it_is_written() -> None:
    tree = parse_yaml("!mine a: 1\nb: {!!int '7': !yours x, !!str c: 2}")
    assert tree.value == {"a": 1, "b": {"7": "x", "c": 2}}
    assert tree.key_tags == ((("a",), "!mine"), (("b", "7"), "tag:yaml.org,2002:int"))
    assert tree.tags == ((("b", "7"), "!yours"),)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("a: &a {x: 1}\nb: {<<: *a, x: 2}", 0),  # it stands in `a`
        ("b: {<<: {x: 1, y: 1}, x: 2}", 1),
        ("b: {x: 2, <<: {x: 1, y: 1}}", 1),
        ("a: &a {x: 1}\nb: {<<: [*a, {x: 2}, {x: 3, y: 3}]}", 2),
        ("a: &a [{x: 1}, {x: 2}]\nb: {<<: *a, x: 3}", 0),
        ("b: {<<: {x: 1}, <<: {x: 2}}", 1),
        ("b: {<<: {x: 1, x: 2}, y: 3}", 0),  # told as a repeated key
    ],
)
def test_merges_are_as_in_pyyaml_and_what_one_alone_held_is_counted(text: str, count: int) -> None:
    tree = parse_yaml(text)
    assert tree.value == yaml.safe_load(text)
    assert tree.overridden == count


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (bomb(12), "more than 1,000,000 values"),
        ("- " * 100_000 + "x", "nested too deeply"),
        ("[" * 100_000, "nested too deeply"),
        ("a: &a [*a]", "nothing that stands before"),
        ("a: *b", "undefined alias|nothing that stands before"),
        ("a: [1, 2", "line [12]"),
        ("a: 1\n--- \nb: 2", "more than one document"),
        ("? [a, b]\n: 1", "a key that is a list"),
        ("a: \x00", "."),
        ("<<: 5", "mappings"),
        ("a: \t- b: c: d", "line [12]"),
    ],
)
def test_what_is_hostile_or_broken_is_a_value_error_at_once(text: str, words: str) -> None:
    began = time.process_time()
    with pytest.raises(ValueError, match=words):
        parse_yaml(text)
    assert time.process_time() - began < 5


def test_an_integer_too_long_to_convert_stays_a_text() -> None:
    assert parse_yaml("a: " + "9" * 10_000).value == {"a": "9" * 10_000}
    assert parse_yaml("a: 1.0e+400").value == {"a": "1.0e+400"}
