"""What SwanLab's server took and does not show is found out by the vendor's own `swanlab api`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from neptune_runs import wandb_run
from swanlab_service import CLOUD, SwanlabService, signed_in, written

from runferry.errors import Declined
from runferry.losses import Fate
from runferry.model import Address, Blob, MediaItem, Run
from runferry.ports import Location, RemoteId
from runferry.testing.recording import Recording, Sample
from runferry.testing.samples import START_NS, header
from runferry.writers.swanlab import SwanlabWriter, read_back
from runferry.writers.swanlab.sent_media import _together

pytest.importorskip("swanlab", reason="no swanlab package")


@pytest.fixture
def service(tmp_path: Path) -> Iterator[SwanlabService]:
    with signed_in(tmp_path / "home") as service:
        yield service


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not there at the first look is missing."""
    monkeypatch.setattr(read_back, "SECONDS_TO_ARRIVE", 0.0)
    monkeypatch.setattr(read_back, "SECONDS_TO_SUM_UP", 0.0)


def pictures(*keys: str) -> Sample:
    """Two rows of two pictures of every key."""
    run = Recording(header("pictures"))
    blob = Blob.from_bytes(b"\x89PNG\r\n\x1a\n", "image/png")
    two = (MediaItem("", Address(0), "image", blob),) * 2
    for step in range(2):
        run.log(dict.fromkeys(keys, two), step=step, time_ns=START_NS + step)
    return run.sample()


def other_run(run_id: str = "def456") -> Run:
    run = wandb_run().run
    return replace(run, key=replace(run.key, run_id=run_id))


# --- scalars --------------------------------------------------------------------------------------


def test_rows_that_are_taken_and_not_kept_are_an_error(
    service: SwanlabService, at_once: None
) -> None:
    """The server has answered that all is well, and so has the command."""
    service.lost = {"train/loss"}
    with pytest.raises(Declined, match=r"of 1 of 3 keys .* have not arrived: train/loss"):
        written(CLOUD, wandb_run())


def not_arrived(writer: SwanlabWriter, run: Run) -> dict[str, int]:
    told = [loss for loss in writer.losses(RemoteId(run.uid)) if loss.code == "not-arrived"]
    writer.close()
    assert {loss.fate for loss in told} <= {Fate.DROPPED}
    return {loss.where: loss.count for loss in told}


def test_rows_that_are_missing_in_the_middle_are_a_loss(
    service: SwanlabService, at_once: None, caplog: pytest.LogCaptureFixture
) -> None:
    """The last step is there, and the command is content: the server's sums say it."""
    writer = written(CLOUD, wandb_run())
    assert not_arrived(writer, wandb_run().run) == {}
    service.lost_rows = {("train/loss", 10)}
    writer = written(Location("swanlab", "team/other"), replace(wandb_run(), run=other_run()))
    assert not_arrived(writer, other_run()) == {"train/loss": 1}
    assert "mean value" not in caplog.text


def test_sums_that_differ_are_told_where_the_server_gives_no_rows(
    service: SwanlabService, at_once: None, caplog: pytest.LogCaptureFixture
) -> None:
    service.lost_rows, service.refused = {("train/loss", 10)}, {"/scalar/export": 404}
    writer = written(CLOUD, wandb_run())
    assert not_arrived(writer, wandb_run().run) == {}
    assert "of 1 of 3 keys the server's least, greatest or mean value is not that" in caplog.text
    assert caplog.text.rstrip().endswith("train/loss")


def test_rows_that_are_counted_later_are_waited_for(service: SwanlabService) -> None:
    service.late = 1
    written(CLOUD, wandb_run()).close()
    assert service.asked.count("POST /house/metrics/summaries") == 2


def test_a_server_that_does_not_sum_up_is_said(
    service: SwanlabService, caplog: pytest.LogCaptureFixture
) -> None:
    service.refused = {"/summaries": 403}
    written(CLOUD, wandb_run()).close()
    assert "what has arrived cannot be looked up" in caplog.text


def test_the_machines_series_are_looked_at_where_the_server_sums_them_up(
    service: SwanlabService, at_once: None, caplog: pytest.LogCaptureFixture
) -> None:
    service.lost = {"__swanlab__.system.cpu"}
    written(CLOUD, wandb_run()).close()
    assert "__swanlab__" not in caplog.text
    service.lost, service.lost_rows = set(), {("__swanlab__.system.cpu", 0)}
    writer = written(CLOUD, replace(wandb_run(), run=other_run()))
    assert not_arrived(writer, other_run()) == {"__swanlab__.system.cpu": 1}


# --- media ----------------------------------------------------------------------------------------


def test_media_that_are_taken_and_not_kept_are_an_error(
    service: SwanlabService, at_once: None
) -> None:
    """Texts and charts are media to SwanLab."""
    for key in ("image", "note", "weights"):
        service.lost = {key}
        with pytest.raises(Declined, match=f"of 1 of 3 keys .* have not arrived: {key}"):
            written(CLOUD, replace(wandb_run(), run=other_run(f"run-{key}")))


def test_a_row_or_a_single_one_of_its_pictures_that_is_missing_is_a_loss(
    service: SwanlabService, at_once: None
) -> None:
    service.lost_rows, service.cut = {("one", 0)}, {"two"}
    sample = pictures("one", "two", "three")
    writer = written(CLOUD, sample)
    assert not_arrived(writer, sample.run) == {"one": 2, "two": 2}


def test_media_that_the_server_does_not_tell_of_are_said(
    service: SwanlabService, caplog: pytest.LogCaptureFixture
) -> None:
    service.refused = {"/f_media": 403}
    written(CLOUD, wandb_run()).close()
    assert "what has arrived cannot be looked up" in caplog.text


def test_a_key_that_the_command_cannot_be_asked_for_is_said_and_the_others_are_looked_at(
    service: SwanlabService, at_once: None, caplog: pytest.LogCaptureFixture
) -> None:
    service.lost_rows = {("one", 0), ("two, three", 0)}
    sample = pictures("one", "two, three", "-four")
    writer = written(CLOUD, sample)
    assert "two, three: media whose key has a comma cannot be looked up" in caplog.text
    assert not_arrived(writer, sample.run) == {"one": 2}


def test_keys_are_asked_for_in_as_many_commands_as_they_need() -> None:
    for keys in (["k"] * 1_001, ["损" * 300] * 40, ["k" * 9_000, "k"]):
        groups = list(_together(keys))
        assert len(groups) > 1
        assert [key for group in groups for key in group] == keys
        assert all(len(",".join(group).encode()) <= 8_000 or len(group) == 1 for group in groups)
