"""What pyproject.toml and the workflow of releases state."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

from runferry.registry import ANY, ARCHIVE, reader_names, writer_names

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS: dict[str, list[str]] = PROJECT["project"]["optional-dependencies"]
OURS = {"all", "docs", "lint", "plot", "test", "testing"}  # of no tracker


def test_every_name_of_a_place_is_an_extra() -> None:
    places = {*reader_names(), *writer_names()} - {ANY, ARCHIVE}
    assert set(EXTRAS) - OURS == places


def test_all_is_every_extra_that_brings_something() -> None:
    (every,) = EXTRAS["all"]
    needed = {name for name, needs in EXTRAS.items() if needs and name not in OURS}
    named = set(every.removeprefix("runferry[").removesuffix("]").split(","))
    assert named == needed - {"neptune-models"} | {"plot"}  # the former is neptune's


def test_every_hint_to_install_an_extra_names_one() -> None:
    named = set()
    for file in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Name("MissingExtra"), args=[_, ast.Constant(str(extra))]):
                    named.add(extra)
                case ast.Call(func=ast.Name("MissingExtra")):
                    raise AssertionError(f"{file}:{node.lineno}: an extra that cannot be known")
    assert "wandb" in named
    assert named <= set(EXTRAS)


def test_what_is_typed_says_so() -> None:
    assert (ROOT / "src" / "runferry" / "py.typed").is_file()
    assert "Typing :: Typed" in PROJECT["project"]["classifiers"]


def test_actions_are_pinned_and_only_publishing_may_ask_for_an_identity() -> None:
    text = (ROOT / ".github" / "workflows" / "wheels.yml").read_text(encoding="utf-8")
    used = re.findall(r"uses: *(.*)", text)
    assert used
    for action in used:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {}
    asking = {name for name, job in workflow["jobs"].items() if "id-token" in job["permissions"]}
    assert asking == {"publish"}
    assert {*workflow["jobs"]["publish"]["needs"]} == {"tried", "sdist"}
    assert "secrets." not in text


def test_each_wheel_that_is_built_is_tried_and_its_crates_are_listed() -> None:
    text = (ROOT / ".github" / "workflows" / "wheels.yml").read_text(encoding="utf-8")
    jobs = yaml.safe_load(text)["jobs"]
    built = [entry["target"] for entry in jobs["wheel"]["strategy"]["matrix"]["include"]]
    assert jobs["tried"]["strategy"]["matrix"]["target"] == built
    listed = (ROOT / ".ci" / "licences.py").read_text(encoding="utf-8")
    assert re.findall(r'^    "(\w+-\w+-\w+(?:-\w+)?)",$', listed, re.MULTILINE) == built
