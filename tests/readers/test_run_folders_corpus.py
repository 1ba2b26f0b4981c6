"""Strangers' run folders: every value as plain `json` and `csv` give it."""

from __future__ import annotations

import csv
import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from run_folders import CORPUS, Gathered, gather_one

from runferry.dialects.yaml_trees import parse_yaml
from runferry.readers.dvclive import DvcliveReader
from runferry.readers.hf_trainer import HfTrainerReader
from runferry.readers.hydra import HydraReader
from runferry.readers.ray_tune import RayTuneReader
from runferry.readers.sacred import SacredReader

pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason="no corpus; set RUNFERRY_CORPUS")
MACHINE_AND_TRIAL = {"hostname", "node_ip", "pid", "config", "experiment_id", "experiment_tag"}


def folders(kind: str, mark: str) -> list[str]:
    """The folders below the corpus that hold a file of this name."""
    home = CORPUS / kind
    return sorted({str(path.parent.relative_to(home)) for path in home.rglob(mark)})


def same(left: Any, right: Any) -> bool:
    if isinstance(left, float) and isinstance(right, float) and math.isnan(left):
        return math.isnan(right)
    return bool(left == right) and type(left) is type(right)


def flat(value: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    if path and (not isinstance(value, dict) or not value):
        return {path: value}
    return {
        at: leaf for name, item in value.items() for at, leaf in flat(item, (*path, name)).items()
    }


def logged(found: Gathered) -> dict[tuple[str, ...], list[tuple[int | None, Any]]]:
    """Scalars and texts by path: (step, value) of each, in order."""
    told: dict[tuple[str, ...], list[tuple[int | None, Any]]] = {}
    for key, series in found.content.series.items():
        told[series.path] = [*found.series(key), *found.texts(key)]
    return told


@pytest.mark.parametrize("name", folders("sacred", "config.json"))
def test_sacred(name: str) -> None:
    home = CORPUS / "sacred" / name
    found = gather_one(SacredReader, home)
    metrics = json.loads((home / "metrics.json").read_text())
    told = logged(found)
    assert told.keys() == {(metric,) for metric in metrics}
    for metric, lists in metrics.items():
        expected = list(zip(lists["steps"], lists["values"], strict=True))
        assert len(expected) == len(told[metric,])
        for (step, value), (at, given) in zip(expected, told[metric,], strict=True):
            assert step == at
            assert same(value, given)
        times = [datetime.fromisoformat(time).replace(tzinfo=UTC) for time in lists["timestamps"]]
        given_times = found.times(metric)
        assert [round(time.timestamp() * 1e6) * 1000 for time in times] == given_times
    said = (home / "cout.txt").read_bytes().decode()  # `read_text` keeps "\r" from Python 3.13 on
    assert "".join(row["line"] for row in found.console()) == said
    if (home / "run.json").exists():
        record = json.loads((home / "run.json").read_text())
        assert found.run.status == record["status"]
        assert found.run.started is not None
        assert found.run.started.isoformat() == record["start_time"] + "+00:00"
    assert not [loss for loss in found.losses if loss.code not in KEPT]


KEPT = {"numpy-value", "python-object", "missing-bytes"}


@pytest.mark.parametrize("name", folders("ray_tune", "result.json"))
def test_ray_tune(name: str) -> None:
    home = CORPUS / "ray_tune" / name
    found = gather_one(RayTuneReader, home)
    rows = [json.loads(line) for line in (home / "result.json").read_text().splitlines()]
    expected: dict[tuple[str, ...], list[tuple[int, Any]]] = {}
    for row in rows:
        step = row.pop("training_iteration")
        row.pop("timestamp")
        news = {
            name: value
            for name, value in row.items()
            if name not in MACHINE_AND_TRIAL | {"trial_id"} or value != rows[0].get(name)
        }
        for path, value in flat(news).items():
            is_json = isinstance(value, (list, dict))
            expected.setdefault(path, []).append(
                (step, json.dumps(value, ensure_ascii=False) if is_json else value)
            )
    told = logged(found)
    assert told.keys() == expected.keys()
    for path, values in expected.items():
        assert [step for step, _ in values] == [step for step, _ in told[path]], path
        assert all(map(same, [v for _, v in values], [v for _, v in told[path]])), path
    if (home / "params.json").exists():
        params = flat(json.loads((home / "params.json").read_text()))
        config = found.attributes("config")
        assert config.keys() == params.keys()
        assert all(same(value, config[path]) for path, value in params.items())


def rows_of(table: Path, delimiter: str = ",") -> list[dict[str, str]]:
    with table.open() as lines:
        return list(csv.DictReader(lines, delimiter=delimiter))


def is_read_by_its_table(name: str) -> bool:
    """A trial without results; of one without parameters nothing says that it is Ray's."""
    home = CORPUS / "ray_tune" / name
    return (home / "params.json").exists() and not (home / "result.json").exists()


@pytest.mark.parametrize(
    "name", [*filter(is_read_by_its_table, folders("ray_tune", "progress.csv"))]
)
def test_ray_tune_tables(name: str) -> None:
    home = CORPUS / "ray_tune" / name
    found = gather_one(RayTuneReader, home)
    (row,) = rows_of(home / "progress.csv")
    told = {path[0]: values[0][1] for path, values in logged(found).items()}
    cells = {name: cell for name, cell in row.items() if cell}
    assert {*told, "training_iteration", "timestamp"} == set(cells)
    assert all(
        str(value) == cells[name] or float(cells[name]) == value for name, value in told.items()
    )


@pytest.mark.parametrize("name", folders("dvclive", "*.tsv"))
def test_dvclive(name: str) -> None:
    scalars = CORPUS / "dvclive" / name
    found = gather_one(DvcliveReader, scalars.parent)
    for table in scalars.glob("*.tsv"):
        rows = rows_of(table, delimiter="\t")
        assert found.series(table.stem) == [
            (int(row["step"]), float(row[table.stem])) for row in rows
        ]
        assert found.times(table.stem) == [int(row["timestamp"]) * 1_000_000 for row in rows]
    assert found.losses == []


@pytest.mark.parametrize("name", folders("hf_trainer", "trainer_state.json"))
def test_hf_trainer(name: str) -> None:
    home = CORPUS / "hf_trainer" / name
    try:
        state = json.loads((home / "trainer_state.json").read_text())
    except ValueError:
        state = None
    if not isinstance(state, dict):
        pytest.skip("the corpus holds something else in place of this state")
    found = gather_one(HfTrainerReader, home)
    told = logged(found)
    for row in state["log_history"]:
        for key, value in row.items():
            assert key == "step" or (row["step"], value) in told[key,]
    assert sum(map(len, told.values())) == sum(len(row) - 1 for row in state["log_history"])


@pytest.mark.parametrize("name", folders("hydra", "multirun.yaml"))
def test_hydra(tmp_path: Path, name: str) -> None:
    """Only a sweep's own settings are there: a job that has them is in that sweep."""
    import yaml

    text = (CORPUS / "hydra" / name / "multirun.yaml").read_text()
    assert parse_yaml(text, "omegaconf").value == yaml.safe_load(text)
    job = tmp_path / "sweep" / "0"
    (job / ".hydra").mkdir(parents=True)
    (job / ".hydra" / "config.yaml").write_text("{}\n")
    (job / ".hydra" / "hydra.yaml").write_text(text)
    (tmp_path / "sweep" / "multirun.yaml").write_text(text)
    found = gather_one(HydraReader, tmp_path)
    assert found.run.group == "sweep"
    other = found.attributes("other")
    assert other["hydra", "launcher", "backend"] is None
    assert len(other) == len(flat(yaml.safe_load(text)))
