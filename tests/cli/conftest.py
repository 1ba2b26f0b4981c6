"""An archive of nasty runs, and the command line in a folder of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.calling import Caller

from runferry import settings
from runferry.archive.store import Archive
from runferry.testing.samples import all_samples
from runferry.writers.mlflow.created import create_database


@pytest.fixture(scope="session")
def nasty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nasty") / "archive"
    archive = Archive.open(folder, create=True)
    for sample in all_samples(keys=20):
        with archive.draft(sample.run) as draft:
            for chunk in sample.chunks:
                draft.put(chunk)
            draft.commit()
    return folder


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database without runs, to be copied."""
    path = tmp_path_factory.mktemp("store") / "runs.db"
    create_database(path)
    return path


@pytest.fixture
def database(runferry: Caller, empty_store: Path) -> str:
    """The location of a store of its own, in the folder of the call."""
    shutil.copyfile(empty_store, runferry.folder / "runs.db")
    return "mlflow:sqlite:///runs.db"


@pytest.fixture
def runferry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Caller]:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    yield Caller(here)
    settings.install(None)
