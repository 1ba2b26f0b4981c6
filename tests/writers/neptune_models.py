"""A server of Neptune's with models, and the road that makes runs of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("neptune", reason="neptune is not installed")

import neptune
from tests.cli.calling import Answer, Caller

from runferry import settings
from runferry.testing.neptune_backend import NeptuneServer

BEGAN = 1_700_000_000.25
BEGUN = datetime.fromtimestamp(BEGAN, UTC)
ROUNDED = ("--allow", "rounded")
"""A server tells neither steps nor times of images."""


def log_models(project: str) -> None:
    """A model with two versions."""
    model = neptune.init_model(project=project, key="MOD", name="net", mode="sync")
    model["sys/description"] = "words"
    model["sys/tags"].add(["good"])
    model["signature"] = "x -> y"
    model.stop()
    for number in range(2):
        version = neptune.init_model_version(project=project, model="PRO-MOD", mode="sync")
        version["accuracy"] = number / 2
        for step in range(3):
            version["val/loss"].append(step / 4, step=step + 0.5, timestamp=BEGAN + step)
        version["notes"].append("a line", timestamp=BEGAN)
        version["words"].add(["x", "y"])
        version.stop()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[NeptuneServer]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NEPTUNE_DATA_DIRECTORY", str(tmp_path / "queue"))
    monkeypatch.setenv("NEPTUNE_PROJECT", "team/vision")
    monkeypatch.setenv("NEPTUNE_API_TOKEN", "any")
    monkeypatch.setenv("RUNFERRY_NEPTUNE_MODE", "sync")
    server = NeptuneServer(tmp_path / "server", ["team/vision", "team/sound"])
    server.install(monkeypatch.setattr)
    log_models("team/vision")
    yield server
    settings.install(None)


def runs_of(server: NeptuneServer, project: str = "team/vision") -> dict[str, dict[str, Any]]:
    """The attributes of the runs of a project, by `sys/custom_run_id`."""
    return {run_id: server.values(name, run_id) for name, run_id in server.runs if name == project}


def migrated(*args: str) -> Answer:
    answer = Caller(Path())("convert", *args, "--json")
    assert answer.code == 0, answer.err
    return answer
