"""What the tests of MLflow share: a database and a server of the vendor's own making."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from runferry.ports import Location
from runferry.writers.mlflow import MlflowWriter


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
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    command = [
        sys.executable, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{path}",
        "--artifacts-destination", str(folder / "artifacts"), "--default-artifact-root",
        "mlflow-artifacts:/", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
    ]  # fmt: skip
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(url, process, folder / "log")
        yield url, path
    finally:
        os.killpg(process.pid, 15)
        process.wait(20)


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(240):
        if process.poll() is not None:
            break
        try:
            if httpx.get(f"{url}/health", timeout=2).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.25)
    raise AssertionError(f"the server did not start:\n{log.read_text()[-2000:]}")
