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


@pytest.mark.parametrize("verb", ["ls", "inspect", "plot", "compact", "vacuum", "upgrade"])
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
    check("completion", runferry("completion", "zsh", "--json").json)
    database = next(EXAMPLE.glob("*8kq2v1xd/*.wandb"))
    check("records", runferry("records", database, "--json").json)


def test_moving(database: str, runferry: Caller, nasty: Path) -> None:
    check("plan", runferry("plan", nasty, database, "--json").json)
    check("pull", runferry("pull", EXAMPLE, "kept", "--json").json)
    check("push", runferry("push", "kept", database, "--dry-run", "--json").json)
    check("push", runferry("push", "kept", database, "--json").json)
    check("verify", runferry("verify", "kept", database, "--json").json)
    check("report", runferry("report", "kept", database, "--json").json)
    check("convert", runferry("convert", EXAMPLE, database, "--json").json)


def test_failing(runferry: Caller) -> None:
    check("error", runferry("ls", "nowhere", "--json").json)
    check("error", runferry("convert", EXAMPLE, "mflow:x", "--json").json)


LATE = "SELECT CAST(CASE WHEN i=190000 THEN 'x' ELSE '1' END AS INT) AS n FROM range(200000) t(i)"


def test_a_query_that_fails_between_rows_ends_its_document_with_the_error(
    runferry: Caller, nasty: Path
) -> None:
    failed = runferry("sql", nasty, LATE, "--json")
    assert failed.code == failed.json["exit_code"] == 2
    assert "Could not convert" in failed.json["error"]["what"]
    assert failed.json["columns"] == [{"name": "n", "type": "int32"}]
    check("sql", failed.json)
    assert failed.err.startswith("error: the query failed")
    shown = runferry("sql", nasty, LATE)
    assert shown.code == 2
    assert shown.err.startswith("error: the query failed")


@pytest.mark.parametrize(
    "value",
    [
        "TIMESTAMP '290000-01-01'",
        "DATE '12000-01-01'",
        "TIMESTAMP 'infinity'",
        "INTERVAL '14 months 3 days'",
        "TIME '12:00'",
        "MAP {'a': 1}",
        "uuid()",
        "'1'::BIT",
        "170141183460469231731687303715884105727::HUGEINT",
        "to_json({'a': 1})",
        "'a'::ENUM ('a', 'b')",
        "TIMETZ '12:00+02'",
    ],
)
def test_every_kind_of_value_is_told_or_said_to_be_none(
    runferry: Caller, nasty: Path, value: str
) -> None:
    answer = runferry("sql", nasty, f"select {value} as v", "--json")
    assert answer.code in (0, 2)
    assert answer.code == answer.json.get("exit_code", 0)
    check("sql" if "columns" in answer.json else "error", answer.json)
    shown = runferry("sql", nasty, f"select {value} as v")
    assert shown.code == answer.code


@pytest.mark.parametrize(
    "args",
    [("ls",), ("ls", ".", "--jsn"), ("covert", "a", "b"), ("sql", "a", "b", "--limit", "none"), ()],
)
def test_a_wrong_call_is_answered_in_json_too(runferry: Caller, args: tuple[str, ...]) -> None:
    plain = runferry(*args)
    told = runferry(*args, "--json")
    assert plain.code == told.code == told.json["exit_code"] == 2
    assert plain.out == "" or not args
    check("error", told.json)
    assert told.json["error"]["kind"] == "UsageError"


def test_a_bad_setting_is_answered_in_json_too(runferry: Caller) -> None:
    told = runferry("ls", EXAMPLE, "--json", RUNFERRY_WORKERS="x")
    assert told.code == told.json["exit_code"] == 2
    assert told.json["error"]["kind"] == "BadSetting"
    check("error", told.json)
