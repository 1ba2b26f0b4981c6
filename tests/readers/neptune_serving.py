"""The real client of Neptune, and the stand-in of its server that it talks to."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the vendor's own imports
    neptune = pytest.importorskip("neptune", reason="no neptune; pip install 'runferry[test]'")
    from runferry.testing.neptune_backend import NeptuneServer

PROJECT = "team/vision"
BEGAN = 1_700_000_000.25
QUIET: dict[str, Any] = {
    "capture_stdout": False,
    "capture_stderr": False,
    "capture_hardware_metrics": False,
    "capture_traceback": False,
    "git_ref": False,
    "source_files": [],
}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> NeptuneServer:
    """An empty server with one project."""
    monkeypatch.setenv("NEPTUNE_DATA_DIRECTORY", str(tmp_path / "queue"))
    monkeypatch.delenv("NEPTUNE_PROJECT", raising=False)
    made = NeptuneServer(tmp_path / "server", [PROJECT])
    made.install(monkeypatch.setattr)
    return made


@contextmanager
def logging_to(project: str = PROJECT, **options: Any) -> Iterator[Any]:
    """A run of the real client, in sync mode."""
    run = neptune.init_run(project=project, mode="sync", **{**QUIET, **options})
    try:
        yield run
    finally:
        run.stop()
