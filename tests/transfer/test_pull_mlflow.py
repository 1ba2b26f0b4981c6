"""A run of MLflow that changes between two pulls stays one run, and equals one clean pull."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.transfer.roads import archived
from tests.writers.conftest import database, empty_database  # noqa: F401

from runferry.archive.store import Archive
from runferry.ports import Location
from runferry.transfer.pull import pull
from runferry.transfer.report import Report


@pytest.fixture
def source(database: Path) -> Location:  # noqa: F811
    return Location("mlflow", f"sqlite:///{database}")


def pulled(source: Location, archive: Archive) -> Report:
    return pull(source, archive, reserve_bytes=0)


def log_more_of_a_table(client: Any, run_id: str, folder: Path) -> None:
    client.log_table(run_id, {"q": ["b"], "a": [2]}, "answers.json")


def overwrite_a_file(client: Any, run_id: str, folder: Path) -> None:
    client.log_text(run_id, "other words", "notes.txt")


def change_a_tag(client: Any, run_id: str, folder: Path) -> None:
    client.set_tag(run_id, "team", "red")


def take_a_tag_away(client: Any, run_id: str, folder: Path) -> None:
    client.delete_tag(run_id, "team")


def add_a_param(client: Any, run_id: str, folder: Path) -> None:
    client.log_param(run_id, "depth", 3)


def open_it_again(client: Any, run_id: str, folder: Path) -> None:
    client.update_run(run_id, status="RUNNING")


def log_an_image(client: Any, run_id: str, folder: Path) -> None:
    import numpy as np

    client.log_image(run_id, np.zeros((2, 2, 3), np.uint8), key="dog", step=1)


def log_a_metric_and_more_of_a_table(client: Any, run_id: str, folder: Path) -> None:
    log_more_of_a_table(client, run_id, folder)
    client.log_metric(run_id, "loss", 0.25, step=2)


CHANGES = (
    log_more_of_a_table,
    overwrite_a_file,
    change_a_tag,
    take_a_tag_away,
    add_a_param,
    open_it_again,
    log_an_image,
    log_a_metric_and_more_of_a_table,
)


@pytest.mark.parametrize("has_metrics", [True, False], ids=["metrics", "no metrics"])
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_run_that_changed_at_the_source_is_replaced_and_never_a_copy(
    change: Callable[[Any, str, Path], None],
    has_metrics: bool,
    source: Location,
    tmp_path: Path,
) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=source.where)
    run_id = client.create_run("0", run_name="one").info.run_id
    if has_metrics:
        client.log_metric(run_id, "loss", 0.5, step=1)
    client.log_param(run_id, "lr", 0.1)
    client.set_tag(run_id, "team", "blue")
    client.log_table(run_id, {"q": ["a"], "a": [1]}, "answers.json")
    client.log_text(run_id, "words", "notes.txt")
    client.set_terminated(run_id)
    archive = Archive.open(tmp_path / "archive", create=True)
    assert pulled(source, archive).counts == {"new": 1}
    change(client, run_id, tmp_path)
    report = pulled(source, archive)
    assert [outcome.error for outcome in report.failures] == []
    assert set(report.counts) <= {"grown", "replaced"}
    once = Archive.open(tmp_path / "once", create=True)
    pulled(source, once)
    assert archived(archive) == archived(once)
    assert pulled(source, archive).counts == {"unchanged": 1}
