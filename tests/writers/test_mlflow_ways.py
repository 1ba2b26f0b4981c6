"""Plain SQL, the vendor's store and the server give equal tables; the vendor's client is judge."""

from __future__ import annotations

import json
import math
import socket
import sqlite3
from pathlib import Path

import pytest
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
from runferry.chunks import Points, SeriesFacts
from runferry.dialects.mlflow.attributes import spelled
from runferry.errors import Unreachable
from runferry.model import Run
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
    projects = sorted({run.project for run in runs.values()})
    found["experiments"] = [
        connection.execute(
            "SELECT name, lifecycle_stage FROM experiments WHERE name = ?", (project,)
        ).fetchone()
        for project in projects
    ]
    connection.close()
    return found


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
    monkeypatch: pytest.MonkeyPatch,
) -> None:
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
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)  # load_table asks the global one
    shown = client.load_table(run.info.experiment_id, noted["path"], [remote])
    assert shown["y"].tolist() == ["a", "b"]
    assert shown["x"].isna().tolist() == [False, True]
    local = client.download_artifacts(remote, "code/train.py", str(tmp_path))
    assert Path(local).read_bytes() == b"print(1)\n"


def test_a_server_that_is_not_there_says_so_and_how_to_go_on() -> None:
    with socket.socket() as probe:  # a port that nobody listens on once it is closed
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings.install(settings.Settings(patience=0.1))
    try:
        for opened in (MlflowWriter.open, lambda w: MlflowReader.open(w, ReadOptions())):
            with pytest.raises(Unreachable) as failure:
                opened(Location("mlflow", f"http://user:secret@127.0.0.1:{port}"))
            assert "secret" not in str(failure.value)
            assert failure.value.hint
    finally:
        settings.install(None)
