"""Sending through Neptune's client to a stand-in of its server, and what that shows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("neptune", reason="neptune is not installed")

from tests.transfer.roads import IMPATIENT, archive_of

from runferry import settings
from runferry.ports import Location
from runferry.testing.neptune_backend import NeptuneServer
from runferry.testing.recording import Sample
from runferry.transfer.push import push
from runferry.transfer.report import Report
from runferry.transfer.selection import Selection

PROJECT = "team/example-project"
ALL = Selection(included=frozenset({"all"}))


@pytest.fixture
def mode(request: pytest.FixtureRequest) -> Iterator[settings.NeptuneMode]:
    with in_mode(getattr(request, "param", "sync")) as mode:
        yield mode


@contextmanager
def in_mode(mode: settings.NeptuneMode) -> Iterator[settings.NeptuneMode]:
    settings.install(settings.Settings(neptune_mode=mode))
    try:
        yield mode
    finally:
        settings.install(None)


@pytest.fixture
def server(mode: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> NeptuneServer:
    server = NeptuneServer(tmp_path / "server")
    server.install(monkeypatch.setattr)
    return server


def sent(folder: Path, *samples: Sample, to: str = "team", selection: Selection = ALL) -> Report:
    return push(
        archive_of(samples, folder), Location("neptune", to), selection=selection,
        patience=IMPATIENT,
    )  # fmt: skip


def sent_well(folder: Path, *samples: Sample, to: str = "team") -> Report:
    report = sent(folder, *samples, to=to)
    assert report.aborted is None, report.aborted
    assert not report.failures, [outcome.error for outcome in report.failures]
    return report


def shown(server: NeptuneServer, run_id: str = "abc123", project: str = PROJECT) -> dict[str, Any]:
    """Without what no two sendings have in common."""
    times = ("sys/creation_time", "sys/modification_time")
    found = server.values(project, run_id)
    return {path: value for path, value in found.items() if path not in times}
