"""inspect: one run on a page."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.cli.calling import Caller, widest

from runferry.archive.store import Archive
from runferry.chunks import Header
from runferry.model import Tree
from runferry.testing.recording import Recording, Sample
from runferry.testing.samples import header


def keep(place: Path, sample: Sample) -> None:
    """An archive of this run."""
    with Archive.open(place, create=True).draft(sample.run) as draft:
        for chunk in sample.chunks:
            draft.put(chunk)
        draft.commit()


def test_inspect_shows_series_with_what_is_odd(runferry: Caller, nasty: Path) -> None:
    shown = runferry("inspect", nasty, "--run", "values")
    assert shown.code == 0
    assert "3 NaN, 1 +Inf, 1 -Inf" in shown.out
    assert widest(shown.out) <= 80


@pytest.mark.parametrize(
    ("who", "line"),
    [
        ({"user": "ada"}, "user      ada"),
        ({"host": "box"}, "host      box"),
        ({"user": "ada", "host": "box"}, "host      ada@box"),
    ],
)
def test_inspect_tells_a_user_from_a_host(
    runferry: Caller, tmp_path: Path, who: dict[str, str], line: str
) -> None:
    run = replace(header("one"), user=None, host=None)
    with Archive.open(tmp_path / "kept", create=True).draft(run) as draft:
        draft.put(Header(replace(run, **who)))  # type: ignore[arg-type]
        draft.commit()
    assert line in runferry("inspect", tmp_path / "kept").out.splitlines()


def test_inspect_shows_every_kind_that_a_series_has(runferry: Caller, tmp_path: Path) -> None:
    run = Recording(header("one"))
    run.log({"loss": 0.5}, step=0)
    run.log({"loss": "diverged"}, step=1)
    run.log({"loss": 0.25}, step=2)
    keep(tmp_path / "kept", run.sample())
    lines = runferry("inspect", tmp_path / "kept").out.splitlines()
    found = [line.split()[:4] for line in lines if line.startswith("loss ")]
    assert found == [["loss", "scalar", "2", "0..2"], ["loss", "text", "1", "1..1"]]
    (shown,) = runferry("inspect", tmp_path / "kept", "--json").json["runs"]
    counts = [(one["key"], one["kind"], one["counts"]["points"]) for one in shown["series"]]
    assert counts == [("loss", "scalar", 2), ("loss", "text", 1)]


def test_inspect_json_keeps_apart_what_json_cannot(runferry: Caller, nasty: Path) -> None:
    (run,) = runferry("inspect", nasty, "--run", "attributes", "--json").json["runs"]
    values = {tuple(a["path"]): a["value"] for a in run["attributes"] if a["role"] == "config"}
    assert values["nan",] == {"$float": "nan"}
    assert values["nan as text",] == "NaN"
    assert values["one",] == 1
    assert values["one as bool",] is True
    assert values["none",] is None


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (2**60, "1152921504606846976"),
        (float("nan"), "NaN"),
        (float("inf"), "+Inf"),
        (float("-inf"), "-Inf"),
        (datetime(2025, 3, 1, 12, tzinfo=UTC), "2025-03-01 12:00:00 UTC"),
        (datetime(2025, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC), "2025-03-01 12:00:00.25 UTC"),
        (True, "true"),
        (1.0, "1.0"),
        ("NaN", '"NaN"'),
        ([2**60], '[{"$int":"1152921504606846976"}]'),
    ],
)
def test_inspect_shows_a_value_as_one_would_write_it_and_quotes_texts(
    runferry: Caller, tmp_path: Path, value: Tree, shown: str
) -> None:
    run = Recording(header("one"))
    run.attributes("config", {"it": value})
    keep(tmp_path / "kept", run.sample())
    assert f"it      {shown}" in runferry("inspect", tmp_path / "kept").out.splitlines()


def test_inspect_draws_each_series_and_folds_what_is_long(runferry: Caller, tmp_path: Path) -> None:
    run = Recording(header("one"))
    run.attributes("environment", {f"name{n}": n for n in range(40)})
    for n in range(30):
        run.series((f"cpu{n}",), stream="system")
    for step in range(100):
        run.log({"loss": 9.0 if step == 50 else 0.0}, step=step)
    run.log({f"cpu{n}": 1.0 for n in range(30)}, step=0, stream="system")
    keep(tmp_path / "kept", run.sample())
    short = runferry("inspect", tmp_path / "kept", COLUMNS="120").out
    assert "and 28 more of the environment: -v shows them" in short
    assert "and 18 more series of the machine: -v shows them" in short
    (loss,) = [line for line in short.splitlines() if line.startswith("loss ")]
    assert any(c in loss for c in "⡇⢸⣇⣸⡏⢹⣼⣧⡆⢰⣠⣄⡄⢠⢻⡟⣿")  # the spike reaches from foot to top
    whole = runferry("inspect", tmp_path / "kept", "-v").out
    assert "more of" not in whole
    assert all(f"name{n} " in whole for n in range(40))
    assert len(runferry("inspect", tmp_path / "kept", "--json").json["runs"][0]["series"]) == 31


@pytest.mark.parametrize(("columns", "cells"), [(80, 12), (200, 52)])
def test_a_curve_is_as_wide_as_the_terminal_has_room(
    runferry: Caller, tmp_path: Path, columns: int, cells: int
) -> None:
    run = Recording(header("one"))
    for step in range(300):
        run.log({"loss": 300.0 - step}, step=step)
    keep(tmp_path / "kept", run.sample())
    shown = runferry("inspect", tmp_path / "kept", COLUMNS=str(columns)).out
    (loss,) = [line for line in shown.splitlines() if line.startswith("loss ")]
    assert sum("\u2800" <= letter <= "\u28ff" for letter in loss) == cells
    assert widest(shown) <= columns
