"""Plain SQL, the vendor's store and the server give equal tables; the vendor's client is judge."""

from __future__ import annotations

import json
import math
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.http_server import nobody
from tests.writers.mlflow_runs import (
    PNG,
    SERIES,
    VALUES,
    chunks,
    content,
    header,
    last_header,
    pulled,
    push,
    random_points,
)

from runferry import settings
from runferry.chunks import Attributes, Points, SeriesFacts
from runferry.dialects.mlflow.attributes import spelled
from runferry.errors import Unreachable
from runferry.losses import Fate, Loss
from runferry.model import Attribute, Run
from runferry.ports import Location, ReadOptions
from runferry.readers.mlflow import MlflowReader
from runferry.writers.mlflow import MlflowWriter
from runferry.writers.mlflow.vendor import VendorBackend

COLUMNS = {
    "runs": "name, source_type, source_name, entry_point_name, user_id, status, start_time,"
    " end_time, source_version, lifecycle_stage, deleted_time",
    "metrics": "key, value, timestamp, step, is_nan",
    "latest_metrics": "key, value, timestamp, step, is_nan",
    "params": "key, value",
    "tags": "key, value",
}


def tables(database: Path, runs: dict[str, Run]) -> dict[str, list[tuple[object, ...]]]:
    """All rows of these runs, the run's own name in place of the id that the backend gave."""
    connection = sqlite3.connect(database)
    names = {name: run.key.run_id for remote, run in runs.items() for name in (remote, run.uid)}
    found: dict[str, list[tuple[object, ...]]] = {}
    for table, columns in COLUMNS.items():
        rows = connection.execute(f"SELECT run_uuid, {columns} FROM {table}").fetchall()
        found[table] = sorted(
            (tuple(names.get(str(cell), cell) for cell in row) for row in rows if row[0] in runs),
            key=repr,
        )
    projects = {run.project for run in runs.values()}
    rows = connection.execute(
        "SELECT name, artifact_location, lifecycle_stage, creation_time = last_update_time,"
        " creation_time > 1.7e12, experiment_id FROM experiments"
    ).fetchall()
    found["experiments"] = sorted(
        (name, below(location, f"/{number}"), *facts)
        for name, location, *facts, number in rows
        if name in projects
    )
    found["places"] = sorted(
        (runs[remote].uid, experiment, below(uri, f"{location}/{remote}"))
        for remote, uri, experiment, location in connection.execute(
            "SELECT run_uuid, artifact_uri, e.name, artifact_location FROM runs r"
            " JOIN experiments e ON e.experiment_id = r.experiment_id"
        )
        if remote in runs
    )
    connection.close()
    return found


def below(uri: str, root: str) -> str:
    """What of a place follows the root that each way has of its own."""
    assert root in uri
    return uri.partition(root)[2]


def sent_to(writer: MlflowWriter) -> dict[str, Run]:
    """Three runs: one with everything, one nested in it, one with many odd rows sent in parts."""
    parent, child, odd = header("parent"), header("child", parent="parent"), header("odd")
    parts = [SeriesFacts(SERIES), *(Points(random_points(seed, 150)) for seed in range(4))]
    runs = {
        push(writer, child, []): child,
        push(writer, parent, chunks(parent)): parent,
        push(writer, odd, [*parts, parts[1]]): odd,
    }
    writer.close()
    return dict(runs)


def test_the_three_ways_give_equal_tables(
    database: Path, empty_database: Path, served: tuple[str, Path], tmp_path: Path
) -> None:
    by_sql = sent_to(MlflowWriter.open(Location("mlflow", f"sqlite:///{database}")))
    other = tmp_path / "vendor.db"
    other.write_bytes(database.read_bytes())
    connection = sqlite3.connect(other)
    for table in ("metrics", "latest_metrics", "params", "tags", "runs"):
        connection.execute(f"DELETE FROM {table}")
    connection.execute("DELETE FROM experiments WHERE experiment_id > 0")
    connection.commit()
    connection.close()
    by_store = sent_to(MlflowWriter(VendorBackend(f"sqlite:///{other}", str(tmp_path / "m"))))
    url, behind = served
    by_server = sent_to(MlflowWriter.open(Location("mlflow", url)))
    expected = tables(database, by_sql)
    assert len(expected["metrics"]) > 100
    assert expected["runs"]
    for found in (tables(other, by_store), tables(behind, by_server)):
        for table, rows in expected.items():
            assert found[table] == rows, table


def grown_in(writer: MlflowWriter) -> tuple[dict[str, Run], tuple[Loss, ...]]:
    """A sealed run that grows: more rows, and a value of its config that changed; what was lost."""
    run, same = header("grown"), Attribute(("same",), "config", "x")
    first = Attributes((Attribute(("lr",), "config", 0.1), same))
    changed = Attributes((Attribute(("lr",), "config", 0.2), same))
    remote = push(writer, run, [SeriesFacts(SERIES), Points(random_points(1, 120)), first])
    assert writer.losses(remote) == ()
    later = [SeriesFacts(SERIES), Points(random_points(2, 120)), changed, changed]
    for number, chunk in enumerate(later, start=3):
        writer.append(remote, number, chunk)
        writer.append(remote, number, chunk)  # the answer was lost
    writer.seal(remote, run)
    losses = writer.losses(remote)
    writer.close()
    return {remote: run}, losses


def test_the_three_ways_give_equal_tables_to_a_run_that_grew(
    database: Path, served: tuple[str, Path], tmp_path: Path
) -> None:
    url, behind = served
    other = tmp_path / "vendor.db"
    other.write_bytes(database.read_bytes())
    runs, losses = grown_in(MlflowWriter.open(Location("mlflow", f"sqlite:///{database}")))
    expected = tables(database, runs)
    assert losses == ()
    assert [row[1:] for row in expected["params"]] == [("lr", "0.2"), ("same", "x")]
    # MLflow's own interface never changes a param: that is all in which the ways differ
    expected["params"][0] = (*expected["params"][0][:2], "0.1")
    for writer, path in (
        (MlflowWriter(VendorBackend(f"sqlite:///{other}", str(tmp_path / "m"))), other),
        (MlflowWriter.open(Location("mlflow", url)), behind),
    ):
        runs, losses = grown_in(writer)
        found = tables(path, runs)
        for table, rows in expected.items():
            assert found[table] == rows, table
        assert [(x.code, x.fate, x.where) for x in losses] == [
            ("param-immutable", Fate.REENCODED, "lr")
        ]
        where = url if path == behind else str(path)
        assert config_in(where, *runs) == {"lr": 0.2, "same": "x"}  # nobody edited it in MLflow
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(
                "UPDATE params SET value = '0.3' WHERE key = 'lr' AND run_uuid = ?", tuple(runs)
            )
        assert config_in(where, *runs) == {"lr": "0.3", "same": "x"}  # now somebody did


def config_in(where: str, remote: str) -> dict[str, object]:
    """The run's config as it is read back."""
    return {
        attribute.path[0]: attribute.value
        for chunk in pulled(where, remote)
        if isinstance(chunk, Attributes)
        for attribute in chunk.items
        if attribute.role == "config"
    }


@pytest.fixture(scope="module")
def through_server(served: tuple[str, Path]) -> tuple[str, str]:
    url, _ = served
    writer = MlflowWriter.open(Location("mlflow", url))
    run = header("served")
    remote = push(writer, run, chunks(run))
    assert push(writer, run, [], seal=False) == remote
    writer.close()
    return url, remote


def test_everything_comes_back_from_a_server(through_server: tuple[str, str]) -> None:
    url, remote = through_server
    back = pulled(url, remote)
    expected, found = content(chunks()), content(back)
    for kind, rows in expected.items():
        assert found[kind] == rows, kind
    assert last_header(back).origin_uid == header("served").uid


@pytest.mark.parametrize("way", ["sqlite", "server"])
def test_the_vendors_client_sees_what_was_pushed(
    way: str,
    database: Path,
    through_server: tuple[str, str],
    tmp_path: Path,
) -> None:
    import mlflow
    from mlflow import MlflowClient

    if way == "server":
        uri, remote = through_server
    else:
        uri = f"sqlite:///{database}"
        writer = MlflowWriter.open(Location("mlflow", uri))
        remote = push(writer, header("served"), chunks(header("served")))
        writer.close()
    client = MlflowClient(tracking_uri=uri)
    run = client.get_run(remote)
    sent = header("served")
    assert client.get_experiment(run.info.experiment_id).name == sent.project
    assert run.info.run_name == sent.name
    assert run.info.status == "FAILED"
    assert run.info.start_time == sent.started_ns // 10**6
    assert run.info.end_time == sent.ended_ns // 10**6
    assert run.data.tags["mlflow.note.content"] == sent.notes
    assert run.data.tags["mlflow.user"] == sent.user
    assert run.data.tags["plain"] == "1"
    for name, value in VALUES.items():
        assert run.data.params[f"c.{name}"] == spelled(value)
    assert run.data.params["c.bool"] == "True"
    assert len(run.data.params["c.long"]) == 6000
    history = {(m.step, m.timestamp): m.value for m in client.get_metric_history(remote, "loss")}
    when = sent.created_ns // 10**6
    assert math.isnan(history[2, when + 3])  # 1.5 ms a row
    assert history[3, when + 4] == 1.7976931348623157e308
    assert history[13, when + 19] == 0.1
    assert run.data.metrics["system/cpu"] == 50.0
    images = [f.path for f in client.list_artifacts(remote, "images")]
    assert len([path for path in images if path.endswith(".png")]) == 2
    (image,) = [path for path in images if path.startswith("images/img~a+step+7+timestamp")][:1]
    local = client.download_artifacts(remote, image, str(tmp_path))
    assert Path(local).read_bytes() in (PNG, b"second")
    (noted,) = json.loads(run.data.tags["mlflow.loggedArtifacts"])
    mlflow.set_tracking_uri(uri)  # load_table asks the global one
    shown = client.load_table(run.info.experiment_id, noted["path"], [remote])
    assert shown["y"].tolist() == ["a", "b"]
    assert shown["x"].isna().tolist() == [False, True]
    local = client.download_artifacts(remote, "code/train.py", str(tmp_path))
    assert Path(local).read_bytes() == b"print(1)\n"


def test_a_server_that_is_not_there_says_so_and_how_to_go_on() -> None:
    settings.install(settings.Settings(patience=0.1))
    try:
        with nobody() as url:
            there = Location("mlflow", url.replace("//", "//user:secret@"))
            for opened in (MlflowWriter.open, lambda w: MlflowReader.open(w, ReadOptions())):
                with pytest.raises(Unreachable) as failure:
                    opened(there)
                assert "secret" not in str(failure.value)
                assert failure.value.hint
    finally:
        settings.install(None)
