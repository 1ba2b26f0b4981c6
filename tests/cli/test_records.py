"""`records` on the example that is shipped."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.calling import Caller

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def database() -> Path:
    return next(EXAMPLES.glob("wandb/*8kq2v1xd/*.wandb"))


def test_records_are_counted_by_type(runferry: Caller, database: Path) -> None:
    found = runferry("records", database, "--json").json
    assert found["records"]["history"] == 126
    assert found["records"]["run"] == 1
    assert found["damage"] == []
    table = dict(line.split() for line in runferry("records", database).out.splitlines())
    assert table["history"] == "126"


def test_what_is_damaged_is_stated_by_offset(
    runferry: Caller, database: Path, tmp_path: Path
) -> None:
    cut = tmp_path / "cut.wandb"
    cut.write_bytes(database.read_bytes()[:30_000])
    found = runferry("records", cut, "--json").json
    assert 0 < found["records"]["history"] < 126
    assert [piece["reason"] for piece in found["damage"]] == ["cut-tail"]
    assert "cut-tail" in runferry("records", cut).out


def test_no_file_and_no_database_are_told_apart(runferry: Caller, tmp_path: Path) -> None:
    assert "no such file" in runferry("records", tmp_path / "absent").err
    (tmp_path / "other").write_bytes(b"something else entirely")
    assert runferry("records", tmp_path / "other").code == 1
    assert runferry("records", tmp_path).code == 1


def test_a_folder_stands_for_its_only_database(
    runferry: Caller, database: Path, tmp_path: Path
) -> None:
    assert runferry("records", database.parent).out == runferry("records", database).out
    without = runferry("records", database.parent.parent)
    assert "a folder without a .wandb file" in without.err
    for name in ("a", "b"):
        (tmp_path / f"{name}.wandb").write_bytes(database.read_bytes())
    several = runferry("records", tmp_path)
    assert (several.code, "2 .wandb files" in several.err) == (without.code, True)
    assert "a.wandb" in several.err
