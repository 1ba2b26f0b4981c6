"""What every test gets: no trace of the test before it."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings

# tensorboardX imports Comet's client where it is installed, and that logs what MLflow logs
os.environ["COMET_DISABLE_AUTO_LOGGING"] = "1"

settings.register_profile("on any machine", deadline=None)  # a busy one takes its time
settings.load_profile("on any machine")


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
