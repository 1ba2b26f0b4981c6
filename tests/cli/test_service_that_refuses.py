"""What W&B's service refuses is told with a way out, and not as though all were well."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.calling import Caller
from tests.readers.wandb_service_runs import columns, served

from runferry.testing.wandb_service import Trouble, WandbService


@pytest.fixture
def service(tmp_path: Path) -> Iterator[WandbService]:
    with served(tmp_path / "account") as service:
        for number in range(2):
            service.put_run(f"lab/p/run{number}", history_of=columns(9), live_rows=0)
        yield service
        assert not service.failures


def test_losses_are_not_called_none_where_runs_failed(
    service: WandbService, runferry: Caller
) -> None:
    service.faults.add(Trouble("status", "storage:GET", times=2, status=403))
    shown = runferry("pull", "wandb:lab/p", "archive:mine", "--workers", "1")
    assert shown.code == 4
    assert "1 failed, 1 new" in shown.out
    assert "losses: none in what was moved" in shown.out
    again = runferry("pull", "wandb:lab/p", "archive:mine")
    assert again.code == 0
    assert again.out.rstrip().endswith("losses: none")


def test_storage_that_refuses_what_the_service_signed_is_told_with_a_way_out(
    service: WandbService, runferry: Caller
) -> None:
    service.faults.add(Trouble("status", "storage:GET", times=9, status=403))
    shown = runferry("pull", "wandb:lab/p", "archive:mine")
    assert "403" in shown.err
    assert "hint: run the command again" in shown.err


def test_an_entity_that_is_not_there_ends_a_push_before_it_begins(
    service: WandbService, runferry: Caller
) -> None:
    del service
    assert runferry("pull", "wandb:lab/p", "archive:mine").code == 0
    shown = runferry("push", "mine", "wandb:nobody/p")
    assert shown.code == 1
    assert "W&B has no entity nobody" in shown.err
    assert "hint: wandb:ENTITY/PROJECT" in shown.err
