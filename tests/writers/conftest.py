"""What the tests of MLflow and of Aim share: databases and a server of the vendors' own making."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from tests.free_ports import free_port
from tests.postgres_cluster import cluster, new_database

from runferry.ports import Location
from runferry.writers.mlflow import MlflowWriter

MLFLOW = Path(__file__).parents[1] / "mlflow_in_one_process.py"


@pytest.fixture(scope="session")
def aim_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty repository, which takes Aim more than a second to make: to be copied."""
    if importlib.util.find_spec("aim") is None:
        pytest.skip("aim is not installed")
    from tests.writers.aim_runs import by_aim

    root = tmp_path_factory.mktemp("aim")
    by_aim("import aim; aim.Repo('.', init=True); print(1)", cwd=root)
    return root


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh MLflow database; the vendor's migrations take a second, so once is enough."""
    path = tmp_path_factory.mktemp("made") / "empty.db"
    MlflowWriter.open(Location("mlflow", f"sqlite:///{path}")).close()
    return path


@pytest.fixture
def database(empty_database: Path, tmp_path: Path) -> Path:
    """A copy of it; its artifacts go beside it."""
    path = tmp_path / "runs.db"
    shutil.copy(empty_database, path)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE experiments SET artifact_location = ?", (f"{tmp_path}/mlruns/0",))
    connection.commit()
    connection.close()
    return path


@pytest.fixture(scope="session")
def served(
    empty_database: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path]]:
    """A tracking server on this machine's loopback, and the database behind it."""
    folder = tmp_path_factory.mktemp("served")
    path = folder / "server.db"
    shutil.copy(empty_database, path)
    with tracking_server(folder, f"sqlite:///{path}") as url:
        yield url, path


@pytest.fixture
def served_anew(empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A tracking server that nobody else writes into."""
    folder = tmp_path_factory.mktemp("served-anew")
    shutil.copy(empty_database, folder / "server.db")
    with tracking_server(folder, f"sqlite:///{folder / 'server.db'}") as url:
        yield url


@pytest.fixture(scope="session")
def postgres() -> Iterator[int]:
    """The port of a PostgreSQL cluster of the tests' own."""
    with cluster() as port:
        yield port


@pytest.fixture(scope="session")
def served_by_postgres(
    postgres: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str]]:
    """A tracking server whose database is PostgreSQL, and the URI of that database."""
    uri = new_database(postgres, "mlflow")
    with tracking_server(tmp_path_factory.mktemp("served-pg"), uri) as url:
        yield url, uri


@contextmanager
def tracking_server(
    folder: Path, database: str, *options: str, variables: Mapping[str, str] | None = None
) -> Iterator[str]:
    """The URL of a server that runs while the block does; its artifacts go below the folder."""
    port = free_port()
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"} | (variables or {})
    command = [
        sys.executable, str(MLFLOW), "server", "--backend-store-uri", database,
        "--artifacts-destination", str(folder / "artifacts"), "--default-artifact-root",
        "mlflow-artifacts:/", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
        *options,
    ]  # fmt: skip
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(url, process, folder / "log")
        yield url
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # else it waits for whoever is still connected
        process.wait(60)


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(480):
        if process.poll() is not None:
            break
        try:
            if httpx.get(f"{url}/health", timeout=2).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.25)
    raise AssertionError(f"the server did not start:\n{log.read_text()[-2000:]}")
