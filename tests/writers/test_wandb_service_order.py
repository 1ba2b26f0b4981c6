"""Whether the order in which values were logged survives in W&B's service is told beforehand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.readers.wandb_service_runs import served
from tests.transfer.roads import archive_of

from runferry.errors import ExitCode
from runferry.losses import Fate, Loss
from runferry.ports import Location
from runferry.testing.recording import Recording, Sample
from runferry.testing.samples import SECOND_NS, START_NS, header
from runferry.testing.wandb_service import WandbService
from runferry.transfer.push import plan_all, push
from runferry.transfer.verify import verify_archive

WHERE = Location("wandb", "lab/moved")
CODE = "source-order"


def logged(
    name: str, *rows: tuple[str, int], is_timed: bool = True, system: int | None = None
) -> Sample:
    """Each of these a row of its own: letters that are keys, and a step."""
    run = Recording(header(name))
    for number, (keys, step) in enumerate(rows):
        at = START_NS + number * SECOND_NS if is_timed else None
        run.log(dict.fromkeys(keys, number + 0.5), step=step, time_ns=at)
    if system is not None:
        run.log({"system.cpu": 0.5}, step=system, time_ns=START_NS, stream="system")
    return run.sample()


KEPT = (
    logged("together", ("ab", 0), ("ab", 3), ("a", 7)),
    logged("falling-but-known-by-their-steps", ("ab", 5), ("ab", 3), ("a", 9)),
    logged("untimed-and-rising", ("ab", 0), ("ab", 3), is_timed=False),
    logged("each-series-for-itself", ("a", 0), ("b", 1), ("a", 2)),
)
LOST = (
    logged("series-by-series", ("a", 0), ("a", 1), ("b", 0), ("b", 1)),
    logged("one-step-in-two-rows", ("a", 0), ("b", 0), ("ab", 1)),
    logged("untimed-and-series-by-series", ("a", 4), ("b", 2), is_timed=False),
)
OPEN = (
    logged("a-step-twice", ("a", 0), ("a", 0), ("b", 1)),
    logged("a-fall-that-meets-its-step", ("a", 1), ("a", 0), ("b", 1)),
    logged("machine-with-steps", ("a", 0), ("b", 0), system=3),
)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[WandbService]:
    with served(tmp_path / "account") as service:
        yield service
        assert not service.failures


def counted(losses: tuple[Loss, ...]) -> int:
    return sum(loss.count for loss in losses if loss.code == CODE)


def test_a_plan_knows_the_order_of_rows_and_what_is_measured_is_that(
    service: WandbService, tmp_path: Path
) -> None:
    archive = archive_of([*KEPT, *LOST, *OPEN], tmp_path)
    plans = {run.run: run for run in plan_all(archive, WHERE).outcomes}
    assert not push(archive, WHERE, workers=2, allow=Fate.DROPPED).failures
    compared = {run.run: run for run in verify_archive(archive, WHERE).runs}
    for one in (*KEPT, *LOST, *OPEN):
        name = str(one.run.key)
        told, possible = counted(plans[name].losses), counted(plans[name].possible)
        found = counted(compared[name].measured)
        assert not compared[name].unexpected, name
        if one in KEPT:
            assert (told, possible, found) == (0, 0, 0), name
        elif one in LOST:
            assert told >= found > 0 == possible, name
        else:
            assert told == 0 < possible, name


def test_a_plan_that_is_certain_of_it_ends_as_moving_the_runs_does(
    service: WandbService, tmp_path: Path
) -> None:
    archive = archive_of(LOST[:1], tmp_path)
    assert plan_all(archive, WHERE).exit_code == ExitCode.LOSS
    assert plan_all(archive, WHERE, allow=Fate.MERGED).exit_code == ExitCode.DONE
    push(archive, WHERE, allow=Fate.MERGED)
    assert counted(verify_archive(archive, WHERE).runs[0].measured) > 0


def test_a_run_whose_rows_cannot_be_read_fails_alone(service: WandbService, tmp_path: Path) -> None:
    long = logged("long", *(("a", step) for step in range(600)))  # more than a commit holds itself
    archive = archive_of([long, *LOST[:1]], tmp_path)
    record = archive.record(long.run.uid)
    assert record is not None
    (segment,) = record.of("points")
    (archive.path / segment.path).write_bytes(b"")
    found = {run.run: run.status for run in plan_all(archive, WHERE).outcomes}
    assert found == {str(long.run.key): "failed", str(LOST[0].run.key): "planned"}
