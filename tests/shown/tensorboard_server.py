"""TensorBoard as a process of its own on the loopback address."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import httpx

from runferry.python_apart import command_apart, environment_apart

PATIENCE_S = 30
DataPath = Literal["data-server", "python"]  # who reads the event files

_PROVIDERS: dict[DataPath, str] = {
    "data-server": "GrpcDataProvider",
    "python": "MultiplexerDataProvider",
}
_READING: dict[DataPath, tuple[str, ...]] = {
    "data-server": ("--load_fast", "true"),
    "python": ("--load_fast", "false", "--reload_task", "blocking"),
}
_CODE = """
import os, sys, threading
def end_with_whoever_started_this():
    sys.stdin.buffer.read()
    os._exit(0)  # the data server ends the same way
threading.Thread(target=end_with_whoever_started_this, daemon=True).start()
from tensorboard.main import run_main
run_main()
"""


@dataclass(frozen=True)
class Server:
    """Where it answers."""

    url: str

    def answer(self, endpoint: str, **query: str) -> httpx.Response:
        """What it says without a page."""
        response = httpx.get(f"{self.url}data/{endpoint}", params=query, trust_env=False)
        return response.raise_for_status()

    def plugins(self) -> set[str]:
        """The plugins that have something to show."""
        listing: dict[str, dict[str, Any]] = self.answer("plugins_listing").json()
        return {name for name, facts in listing.items() if facts["enabled"]}


@contextmanager
def served(logdir: Path, data_path: DataPath) -> Iterator[Server]:
    """One that has read all of this folder, once; its log is written beside the folder."""
    command = command_apart(
        _CODE, "--logdir", str(logdir), "--host", "127.0.0.1", "--port", "0",
        "--reload_interval", "0", *_READING[data_path],
    )  # fmt: skip
    log = logdir.with_name(f"{logdir.name}.{data_path}.log")
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=environment_apart(), stdin=subprocess.PIPE, stdout=output, stderr=output
        )
    try:
        server = Server(_url(process, log))
        provider = server.answer("environment").json()["debug"]["data_provider"]
        assert provider.startswith(_PROVIDERS[data_path]), provider
        _wait_until_read(server)
        yield server
    finally:
        process.communicate(timeout=PATIENCE_S)  # closes its stdin, at which it ends


def _url(process: subprocess.Popen[bytes], log: Path) -> str:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until and process.poll() is None:
        if told := re.search(r"TensorBoard \S+ at (http://\S+)", log.read_text()):
            return told[1]
        time.sleep(0.1)
    raise AssertionError(f"TensorBoard did not start:\n{log.read_text()[-2000:]}")


def _wait_until_read(server: Server) -> None:
    """The data server reads while it answers already; a small folder is a matter of a moment."""
    until, before = time.monotonic() + PATIENCE_S, set[str]()
    while time.monotonic() < until:
        if (now := server.plugins()) and now == before:
            return
        before = now
        time.sleep(0.3)
    raise AssertionError("TensorBoard has found nothing to show")
