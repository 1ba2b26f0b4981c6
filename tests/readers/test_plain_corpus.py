"""Strangers' tables against what plain Python finds in them: the csv module and float()."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from plain_tables import Held, all_held, numbers_of, one_held
from wandb_runs import corpus

from runferry.losses import Fate
from runferry.model import Tree
from runferry.ports import Reader
from runferry.readers.csv_tables import CsvReader
from runferry.readers.keras import KerasReader
from runferry.readers.lightning import LightningReader
from runferry.readers.sb3 import StableBaselinesReader
from runferry.readers.wandb_csv import WandbCsvReader

CORPUS = corpus()
pytestmark = pytest.mark.skipif(CORPUS is None, reason="no corpus; set RUNFERRY_CORPUS")
_WHOLE = 20  # bytes; what is smaller is no table


def files(kind: str, pattern: str = "*.csv") -> list[str]:
    if CORPUS is None:
        return []
    found = (path for path in (CORPUS / kind).rglob(pattern) if path.stat().st_size > _WHOLE)
    return sorted(path.relative_to(CORPUS).as_posix() for path in found)


def check(found: Held, rows: list[dict[str, float]], left_out: set[str]) -> None:
    """Every cell of the file is a value of the run, and nothing else is."""
    expected = {
        (number, name): value
        for number, row in enumerate(rows)
        for name, value in row.items()
        if name not in left_out
    }
    met = {place: float(value) for place, value in found.cells().items()}
    assert met == expected
    assert {loss.fate for loss in found.losses} <= {Fate.KEPT}, found.losses


@pytest.mark.parametrize("name", files("csvlog"))
def test_keras_logs_hold_what_their_cells_say(name: str) -> None:
    assert CORPUS is not None
    rows = [dict(row) for row in numbers_of(CORPUS / name)]
    found = one_held(KerasReader, CORPUS / name)
    check(found, rows, {"epoch"})
    for points in found.points.values():
        assert [row["step"] for row in points] == [int(row["epoch"]) for row in rows]


@pytest.mark.parametrize("name", files("rl_progress_csv"))
@pytest.mark.parametrize("reader", [StableBaselinesReader, CsvReader])
def test_progress_holds_what_its_cells_say(name: str, reader: type[Reader]) -> None:
    assert CORPUS is not None
    found = one_held(reader, CORPUS / name)
    check(found, [dict(row) for row in numbers_of(CORPUS / name)], set())
    assert all(row["step"] is None for points in found.points.values() for row in points)


@pytest.mark.parametrize("name", files("sb3_monitor"))
def test_monitors_hold_what_their_cells_say(name: str) -> None:
    assert CORPUS is not None
    with (CORPUS / name).open() as stream:
        first = stream.readline()
    if not first.startswith("#"):
        assert not StableBaselinesReader.recognises(CORPUS / name)
        return
    header: dict[str, Any] = json.loads(first[1:])
    rows = [dict(row) for row in numbers_of(CORPUS / name, skipped=1)]
    found = one_held(StableBaselinesReader, CORPUS / name)
    check(found, rows, {"t"})
    assert {path[0]: value for (_, path), value in found.attributes.items()} == header
    for row in found.points.get("r", []):
        seconds = row["time"].timestamp() + (row["time_ns"] or 0) / 1e9
        assert math.isclose(seconds - header["t_start"], rows[row["seq"]]["t"], abs_tol=2e-6)


@pytest.mark.parametrize("name", files("wandb_csv"))
def test_exports_of_wandb_hold_what_their_cells_say(name: str) -> None:
    assert CORPUS is not None
    path = CORPUS / name
    if WandbCsvReader.recognises(path):
        met = {
            (number, f"{found.run.name} - {key}"): value
            for found in all_held(WandbCsvReader, path)
            for (number, key), value in found.cells().items()
        }
    else:  # a table of predictions
        met = one_held(CsvReader, path).cells()
    with path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert met == {
        (number, column): number_or_text(cell)
        for number, row in enumerate(rows)
        for column, cell in row.items()
        if cell.strip() and column != "Step"
    }


def number_or_text(cell: str) -> float | str:
    try:
        return float(cell)
    except ValueError:
        return cell


@pytest.mark.parametrize("name", files("lightning", "hparams.yaml"))
def test_hyperparameters_of_lightning_are_config(name: str) -> None:
    assert CORPUS is not None
    path = CORPUS / name
    found = one_held(LightningReader, path.parent)
    expected = dict(leaves_of(yaml.safe_load(path.read_text())))
    assert {path: value for (_, path), value in found.attributes.items()} == expected


def leaves_of(tree: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Tree]]:
    if not isinstance(tree, dict) or not tree:
        return [(path, tree)]
    return [leaf for name, below in tree.items() for leaf in leaves_of(below, (*path, str(name)))]


def test_every_run_of_lightning_is_found() -> None:
    assert CORPUS is not None
    reader = LightningReader.recognises(CORPUS / "lightning")
    assert reader
    found = all_held(LightningReader, CORPUS / "lightning")
    assert len(found) == len(list(Path(CORPUS / "lightning").rglob("hparams.yaml")))
