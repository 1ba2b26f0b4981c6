"""What every test gets: no trace of the test before it."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import settings
from tests.rights import modes_that_hold

from runferry.writers.mlflow import created

# tensorboardX imports Comet's client where it is installed, and that logs what MLflow logs
os.environ["COMET_DISABLE_AUTO_LOGGING"] = "1"

settings.register_profile("on any machine", deadline=None)  # a busy one takes its time
settings.load_profile("on any machine")


@pytest.fixture(autouse=True, scope="session")
def _mlflow_migrates_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Hundreds of tests begin with a new database, and the vendor's migrations take seconds.

    The first is made as ever; the others are copies of it. `test_mlflow_databases` holds a copy
    against one that was made, and whoever changes the command gets what the changed one makes.
    """
    migrate, command = created._migrate_apart, created._APART
    first = tmp_path_factory.getbasetemp() / "first-of-mlflow" / "mlflow.db"

    def copied(draft: Path, artifact_root: str) -> None:
        if command != created._APART:
            migrate(draft, artifact_root)
            return
        if not first.exists():
            first.parent.mkdir()
            migrate(first, str(first.parent / "mlruns"))
        shutil.copyfile(first, draft)
        with closing(sqlite3.connect(draft)) as connection, connection:
            connection.execute(
                "UPDATE experiments SET artifact_location = ?", (f"{artifact_root}/0",)
            )

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(created, "_migrate_apart", copied)
        yield


@pytest.fixture(autouse=True)
def _no_tracking_server_of_the_test_before() -> Iterator[None]:
    """`mlflow.set_tracking_uri` is global, and outranks the variable that the next test sets."""
    yield
    if mlflow := sys.modules.get("mlflow"):
        mlflow.set_tracking_uri(None)


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
