"""What every test gets: no trace of the test before it."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from tests import migrated_once
from tests.exploring import IS_EXPLORING
from tests.rights import modes_that_hold

from runferry import settings as chosen
from runferry.writers.mlflow import created

# tensorboardX imports Comet's client where it is installed, and that logs what MLflow logs
os.environ["COMET_DISABLE_AUTO_LOGGING"] = "1"

settings.register_profile(
    "on any machine",
    deadline=None,  # a busy one takes its time
    derandomize=not IS_EXPLORING,
    print_blob=True,
)
settings.load_profile("on any machine")


@pytest.fixture(autouse=True, scope="session")
def _mlflow_migrates_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """`test_mlflow_databases` holds a copy against a database that was made."""
    migrate, command = created._migrate_apart, created._APART
    root = tmp_path_factory.getbasetemp()
    is_worker = "PYTEST_XDIST_WORKER" in os.environ  # the folder above is the same for all of them
    folder = (root.parent if is_worker else root) / "migrated-once"
    migrated_once.make_known(folder, command)

    def copied(draft: Path, artifact_root: str) -> None:
        is_changed = command != created._APART
        if is_changed or not migrated_once.take(folder, draft, artifact_root):
            migrate(draft, artifact_root)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(created, "_migrate_apart", copied)
        patched.setattr(sys, "path", [*sys.path, str(folder)])
        yield


@pytest.fixture(autouse=True)
def _no_tracking_server_of_the_test_before() -> Iterator[None]:
    """`mlflow.set_tracking_uri` is global, and outranks the variable that the next test sets."""
    yield
    if mlflow := sys.modules.get("mlflow"):
        mlflow.set_tracking_uri(None)


@pytest.fixture(autouse=True)
def _no_settings_of_the_test_before() -> Iterator[None]:
    """Those that a fixture of a whole module installs stay for that module."""
    before = chosen._ambient.settings
    yield
    chosen.install(before)


@pytest.fixture(autouse=True)
def _no_log_of_the_test_before() -> Iterator[None]:
    """The command line takes our logger to itself; what it says would not be heard again.

    And a database that MLflow makes silences all loggers that there are, neptune-scale httpx's.
    """
    yield
    ours = logging.getLogger("runferry")
    ours.propagate = True
    ours.setLevel(logging.NOTSET)
    clients = logging.getLogger("httpx")
    clients.disabled = False
    clients.setLevel(logging.NOTSET)


@pytest.fixture
def modes_hold() -> Iterator[None]:
    """What is closed by its mode is closed to this test, whoever runs it."""
    with modes_that_hold():
        yield
