"""Servers that pages speak to: each gives the variables that its users need, until it is closed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx
from tests.free_ports import free_port

from runferry.python_apart import environment_apart
from runferry.writers.mlflow.created import create_database

IN_ONE_PROCESS = Path(__file__).parents[1] / "mlflow_in_one_process.py"


@contextmanager
def mlflow_server(folder: Path) -> Iterator[Mapping[str, str]]:
    """A tracking server; pages call it http://127.0.0.1:5000."""
    port = free_port()
    create_database(folder / "server.db")
    command = [
        sys.executable, str(IN_ONE_PROCESS), "server", "--backend-store-uri",
        f"sqlite:///{folder / 'server.db'}", "--artifacts-destination", str(folder / "artifacts"),
        "--default-artifact-root", "mlflow-artifacts:/", "--host", "127.0.0.1",
        "--port", str(port), "--workers", "1",
    ]  # fmt: skip
    environment = environment_apart() | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        _wait_for(f"http://127.0.0.1:{port}/health", server)
        yield {"PORT_OF_5000": str(port)}
    finally:
        os.killpg(server.pid, signal.SIGKILL)  # else it waits for whoever is still connected
        server.wait(60)


def _wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(480):
        assert server.poll() is None, "the server ended"
        try:
            if httpx.get(url, timeout=2).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.25)
    raise AssertionError(f"{url} does not answer")


@contextmanager
def wandb_service(folder: Path) -> Iterator[Mapping[str, str]]:
    """The stand-in for W&B's service, with three runs in `lab/vision`."""
    import numpy as np

    from runferry.testing.wandb_service import RunContent, WandbService

    with WandbService() as service:
        for number, rate in enumerate((0.1, 0.01, 0.001)):
            content = RunContent(
                name=f"try-{number}",
                config={"lr": rate, "model": {"depth": 4}},
                summary={"loss": 0.25 * (number + 1)},
                tags=("paper",) if number == 0 else (),
                files={"model.ckpt": bytes([number]) * 4096},
            )
            steps = np.arange(200)
            service.put_run(
                f"lab/vision/try{number}",
                content,
                history_of={"loss": 1 / (1 + steps * rate), "accuracy": steps / 200},
                live_rows=20,
            )
        yield service.environment(folder)
        assert not service.failures, service.failures


_INSTALLED = """
from pathlib import Path
from runferry.testing.neptune_backend import NeptuneServer
NeptuneServer(Path({folder!r})).install(setattr)
"""


@contextmanager
def neptune_in_each_process(folder: Path) -> Iterator[Mapping[str, str]]:
    """Neptune's client speaks to the stand-in, which forgets all when a process ends."""
    code = _INSTALLED.format(folder=str(folder / "server"))
    (folder / "sitecustomize.py").write_text(code, encoding="utf-8")
    path = os.pathsep.join([str(folder), environment_apart()["PYTHONPATH"]])
    yield {"PYTHONPATH": path, "NEPTUNE_API_TOKEN": "a token", "NEPTUNE_DATA_DIRECTORY": ".neptune"}


SERVICES: dict[str, Callable[[Path], AbstractContextManager[Mapping[str, str]]]] = {
    "mlflow-server": mlflow_server,
    "neptune": neptune_in_each_process,
    "wandb-service": wandb_service,
}
