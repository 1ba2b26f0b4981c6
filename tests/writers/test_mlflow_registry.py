"""Registered models, logged models and datasets go from any MLflow into any other: its own client
says the same of both, and a second conversion adds nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from tests.postgres_cluster import new_database
from tests.writers.mlflow_models import at, carried, fill, inputs, logged, registry

from runferry.dialects.mlflow.vendor import open_store

Filled = tuple[str, dict[str, str]]


@pytest.fixture
def source(database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Filled:
    """A sqlite file that MLflow's own client has filled."""
    monkeypatch.chdir(tmp_path)
    uri = f"sqlite:///{database}"
    with at(uri) as client:
        return uri, fill(client, tmp_path)


def marked(client: MlflowClient, name: str) -> str:
    """The run of this name."""
    experiments = [one.experiment_id for one in client.search_experiments()]
    (run,) = client.search_runs(experiments, f"attributes.run_name = '{name}'")
    return str(run.info.run_id)


def everything(client: MlflowClient, trainer: str, judge: str) -> list[Any]:
    """All that can be said of a filled store but for ids, times and places."""
    return [registry(client), logged(client, trainer), inputs(client, trainer),
            inputs(client, judge)]  # fmt: skip


def check(source: Filled, destination: str, folder: Path) -> None:
    """MLflow says the same of both; a second conversion adds nothing."""
    uri, made = source
    carried(uri, destination, folder)
    with at(uri) as client:
        wanted = everything(client, made["trainer"], made["judge"])
    with at(destination) as client:
        found = everything(client, marked(client, "trainer"), marked(client, "judge"))
    assert found == wanted
    assert set(found[0]["net"]["versions"]) == {1, 3, 4}
    again = carried(uri, destination, folder)
    assert again.push.counts == {"unchanged": len(again.push.outcomes)}
    anew = carried(uri, destination, folder / "elsewhere", restart=True)
    assert set(anew.push.counts) <= {"unchanged", "new", "resumed", "replaced", "continued"}
    with at(destination) as client:
        assert everything(client, marked(client, "trainer"), marked(client, "judge")) == wanted


def test_models_go_into_sqlite_whole_and_once(source: Filled, tmp_path: Path) -> None:
    check(source, f"sqlite:///{tmp_path}/other.db", tmp_path)


def test_models_go_into_a_server_whole_and_once(
    source: Filled, served_anew: str, tmp_path: Path
) -> None:
    check(source, served_anew, tmp_path)


def test_models_go_into_a_server_over_postgresql_whole_and_once(
    source: Filled, served_by_postgres: tuple[str, str], tmp_path: Path
) -> None:
    check(source, served_by_postgres[0], tmp_path)


def test_models_go_into_postgresql_whole_and_once(
    source: Filled, postgres: int, tmp_path: Path
) -> None:
    uri = new_database(postgres, "directly")
    open_store(uri, str(tmp_path / "artifacts")).engine.dispose()
    check(source, uri, tmp_path)


def test_models_go_on_from_where_they_arrived(source: Filled, tmp_path: Path) -> None:
    uri, made = source
    hops = [uri, f"sqlite:///{tmp_path}/one/runs.db", f"sqlite:///{tmp_path}/two/runs.db"]
    for number, ends in enumerate(pairwise(hops)):
        carried(*ends, tmp_path / f"hop-{number}")
    with at(uri) as client:
        wanted = everything(client, made["trainer"], made["judge"])
    with at(hops[-1]) as client:
        assert everything(client, marked(client, "trainer"), marked(client, "judge")) == wanted


def goes_into_a_database(uri: str, tmp_path: Path) -> None:
    with at(uri) as client:
        made = fill(client, tmp_path)
        wanted = everything(client, made["trainer"], made["judge"])
    there = f"sqlite:///{tmp_path}/there/runs.db"
    carried(uri, there, tmp_path)
    with at(there) as client:
        found = everything(client, marked(client, "trainer"), marked(client, "judge"))
    assert found == wanted


def test_models_of_a_file_store_go_into_a_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    store = (tmp_path / "mlruns").as_uri()
    goes_into_a_database(store, tmp_path)


def test_models_of_a_server_go_into_a_database(
    served_anew: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    goes_into_a_database(served_anew, tmp_path)


def test_a_version_behind_more_missing_numbers_than_a_server_is_led_past_says_its_own(
    source: Filled, served_anew: str, tmp_path: Path
) -> None:
    uri, _ = source
    with closing(sqlite3.connect(uri.removeprefix("sqlite:///"))) as connection, connection:
        for table in ("model_versions", "model_version_tags", "registered_model_aliases"):
            connection.execute(f"UPDATE {table} SET version = 300 WHERE version = 4")
    report = carried(uri, served_anew, tmp_path)
    told = [(x.where, x.count) for o in report.outcomes for x in o.losses
            if x.code == "version-renumbered"]  # fmt: skip
    assert told == [("net/4 (300)", 1)]
    with at(served_anew) as client:
        found = {int(v.version): v.tags for v in client.search_model_versions("name = 'net'")}
        assert found.keys() == {1, 3, 4}
        assert found[4]["runferry.version"] == "300"
        assert client.get_model_version_by_alias("net", "champion").version in (4, "4")
    again = carried(uri, served_anew, tmp_path)
    assert set(again.push.counts) == {"unchanged"}
    back = f"sqlite:///{tmp_path}/back.db"
    carried(served_anew, back, tmp_path / "other")
    with at(back) as client:  # nothing was known of the other number but by us
        assert {int(v.version) for v in client.search_model_versions("name = 'net'")} == {1, 3, 300}
