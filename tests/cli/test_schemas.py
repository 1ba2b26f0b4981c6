"""What every command prints with --json is what docs/cli.schema.json says."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from tests.cli.calling import Caller

ROOT = Path(__file__).parents[2]
SCHEMAS = json.loads((ROOT / "docs" / "cli.schema.json").read_text(encoding="utf-8"))
EXAMPLE = ROOT / "examples" / "wandb"


def check(name: str, document: object) -> None:
    schema = {**SCHEMAS, "$ref": f"#/$defs/{name}"}
    jsonschema.validate(document, schema, cls=jsonschema.Draft202012Validator)


def test_the_schemas_are_schemas() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMAS)


@pytest.mark.parametrize("verb", ["ls", "inspect", "compact", "vacuum"])
def test_looking_at_nasty_runs(runferry: Caller, nasty: Path, verb: str) -> None:
    check(verb, runferry(verb, nasty, "--json").json)


def test_asking(runferry: Caller, nasty: Path) -> None:
    for table in ("runs", "series", "points", "texts", "histograms", "media", "losses"):
        check("sql", runferry("sql", nasty, f"select * from {table}", "--json").json)


def test_looking_without_an_archive(runferry: Caller) -> None:
    check("ls", runferry("ls", EXAMPLE, "--json").json)
    check("inspect", runferry("inspect", EXAMPLE, "--json").json)
    check("formats", runferry("formats", "--json").json)
    check("settings", runferry("settings", "--json").json)
    database = next(EXAMPLE.glob("*8kq2v1xd/*.wandb"))
    check("records", runferry("records", database, "--json").json)


def test_moving(database: str, runferry: Caller, nasty: Path) -> None:
    check("plan", runferry("plan", nasty, database, "--json").json)
    check("pull", runferry("pull", EXAMPLE, "kept", "--json").json)
    check("push", runferry("push", "kept", database, "--dry-run", "--json").json)
    check("push", runferry("push", "kept", database, "--json").json)
    check("verify", runferry("verify", "kept", database, "--json").json)
    check("convert", runferry("convert", EXAMPLE, database, "--json").json)


def test_failing(runferry: Caller) -> None:
    check("error", runferry("ls", "nowhere", "--json").json)
    check("error", runferry("convert", EXAMPLE, "mflow:x", "--json").json)
