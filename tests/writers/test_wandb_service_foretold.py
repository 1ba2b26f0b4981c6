"""What W&B's service cannot hold as it was: foretold, and no more than that is found."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.wandb_service.vendors_client import run_client
from wandb_bench import WHERE, Bench
from wandb_bench import bench as bench  # noqa: PLC0414  a fixture
from wandb_bench import service as service  # noqa: PLC0414  a fixture

from runferry import chunks, registry
from runferry.losses import Fate
from runferry.model import Address, Blob, FileRole, MediaItem, RunState
from runferry.ports import Location
from runferry.testing.recording import Recording
from runferry.testing.samples import SECOND_NS, START_NS, attributes, header
from runferry.transfer.push import plan_all
from runferry.transfer.verify import verify_archive


def test_odd_attributes_are_told_where_they_cannot_be_kept(bench: Bench) -> None:
    archive = bench.archive(attributes())
    bench.pushed(archive)
    bench.verified(archive)


@pytest.mark.parametrize(
    ("state", "exit_code", "is_complete"),
    [("finished", None, True), ("killed", 137, True), ("failed", 2**40, True),
     ("running", None, False)],
)  # fmt: skip
def test_an_ending_that_the_service_cannot_state_is_told(
    bench: Bench, state: RunState, exit_code: int | None, is_complete: bool
) -> None:
    ended = START_NS + SECOND_NS if is_complete else None
    run = Recording(
        replace(
            header("ending"),
            state=state,
            exit_code=exit_code,
            complete=is_complete,
            ended_ns=ended,
            name=None,
            notes="",
            labels={"team": "vision"},
        )
    )
    run.log({"loss": 0.5}, step=0, time_ns=START_NS)
    archive = bench.archive(run.sample())
    bench.pushed(archive)
    bench.verified(archive)


def test_where_rows_of_one_step_go_is_foretold(bench: Bench) -> None:
    run = Recording(header("crowded"))
    for row, step in enumerate((0, 1, 1, 2, 9)):
        at = START_NS + row * SECOND_NS
        run.log({"loss": row / 4}, step=step, time_ns=at)
        if row != 2:
            run.log({"beside": row / 8}, step=step, time_ns=at)
    archive = bench.archive(run.sample())
    bench.pushed(archive)
    (planned,) = plan_all(archive, WHERE).outcomes
    foretold = {x.where: x.count for x in planned.possible if x.code == "repeated-step"}
    assert foretold == {"loss": 5, "beside": 4}

    verified = bench.verified(archive)
    moved = [x for run in verified.runs for x in run.measured if x.code == "repeated-step"]
    assert {x.where: x.count for x in moved} == {"loss": 2, "beside": 1}  # 1, 1, 2 are 1, 2, 3


@pytest.mark.parametrize("is_exported", [False, True])
def test_only_numbers_that_come_back_as_another_kind_are_told(
    bench: Bench, is_exported: bool
) -> None:
    logged: dict[str, list[float]] = {
        "first": [0.0, 0.5, 0.25, 0.125, 2.0],  # one kind
        "whole": [0, 0.5, 0.25, 1, 2],  # integers, and fractions: told apart by what they are
        "mixed": [1, 2.0, 0.5, 3, 4.0],
        "truth": [True, 2, False, True, 7],
    }
    run = Recording(header("kinds"))
    for step in range(5):
        row = {name: values[step] for name, values in logged.items()}
        run.log(row, step=step, time_ns=START_NS + step * SECOND_NS)
    archive = bench.archive(run.sample())
    report = bench.pushed(archive)
    if is_exported:
        bench.service.export("lab/moved/kinds")
    (outcome,) = report.outcomes
    told = {loss.where: loss.count for loss in outcome.losses if loss.code == "number-kind"
            and loss.fate > Fate.REENCODED}  # fmt: skip
    (found,) = bench.verified(archive).runs
    measured = {loss.where: loss.count for loss in found.measured if loss.code == "number-kind"}
    assert measured == told
    assert told == {"mixed": 2}
    rows = run_client(
        bench.service,
        bench.folder / "reading",
        'answer(rows=list(wandb.Api().run("lab/moved/kinds").scan_history()))',
    )["rows"]
    theirs = [type(row["mixed"]) for row in rows]
    assert [type(was) for was in logged["mixed"]].count(int) == theirs.count(int) - told["mixed"]


def test_the_plan_knows_what_the_service_has_no_room_for() -> None:
    folder, service = (registry.limits_of(Location("wandb", it)) for it in ("./runs", "lab/moved"))
    assert folder.holds["raw"] is Fate.REENCODED
    assert "raw" not in service.holds


def test_when_a_run_began_and_its_commit_are_kept(bench: Bench) -> None:
    run = Recording(header("dated")).attributes("environment", {("git", "commit"): "c0ffee"})
    archive = bench.archive(run.sample())
    bench.pushed(archive)
    (verified,) = verify_archive(archive, WHERE).runs
    assert verified.is_clean, verified.unexpected
    places = {loss.where for loss in verified.measured}
    assert not places & {"created_ns", "started_ns", "environment.git.commit"}


def test_what_other_trackers_have_besides_is_kept_or_foretold(bench: Bench) -> None:
    """Roles of files, and media of no kind."""
    run = Recording(header("of another"))
    medium = MediaItem("", Address(0), "other", Blob.from_bytes(b"x"), path="odd.bin")
    run.log({"odd": medium}, step=1, time_ns=START_NS)
    roles: dict[str, FileRole] = {"train.log": "console", "env/requirements.txt": "requirements"}
    for path, role in roles.items():
        run.put(chunks.File(path, role, Blob.from_bytes(b"x")))
    archive = bench.archive(run.sample())
    bench.pushed(archive)
    assert "file-role" not in {loss.code for loss in bench.verified(archive).measured}


def test_times_of_the_machines_texts_are_foretold(bench: Bench) -> None:
    run = Recording(header("alerted"))
    for _ in range(2):  # so no table beside the run tells its rows apart
        run.log({"loss": 0.5}, step=0, time_ns=START_NS)
    no_double = 1_795_417_619_617_296_000
    run.log({"alerts": "low disk"}, time_ns=no_double, stream="system")
    archive = bench.archive(run.sample())
    bench.pushed(archive)
    bench.verified(archive)


def test_a_run_of_which_little_is_known_reads_back_as_foretold(bench: Bench) -> None:
    known = dict.fromkeys(("name", "project", "created_ns", "started_ns", "ended_ns", "status"))
    run = Recording(header("bare", **known, state="crashed", complete=False, exit_code=None))
    run.log({"loss": 0.5}, step=0, time_ns=START_NS)
    archive = bench.archive(run.sample())
    bench.pushed(archive)
    bench.verified(archive)


def test_key_value_tags_and_an_unknown_exit_code_are_foretold(bench: Bench) -> None:
    labels = {"team": "a", "long": "x" * 80}
    run = Recording(header("labelled", labels=labels, tags=("plain",), exit_code=None))
    archive = bench.archive(run.sample())
    bench.pushed(archive)
    bench.verified(archive)


def test_what_was_printed_in_pieces_reads_back_as_foretold(bench: Bench) -> None:
    pieces = ["epoch", " ", "1", "\n", "two\nlines\n", "10 %\r", "20 %\r", "done\n", "open"]
    run = Recording(header("printing"))
    run.console([("stdout", text, START_NS) for text in pieces])
    archive = bench.archive(run.sample())
    bench.pushed(archive)
    bench.verified(archive)


def test_times_to_the_microsecond_come_back_as_they_were(bench: Bench) -> None:
    """W&B has doubles of seconds, whose last digits are none of the source's."""
    run = Recording(header("timed"))
    for step in range(50):
        at = START_NS + step * 123_457_000
        run.log({"loss": step / 4, "word": f"at {step}"}, step=step, time_ns=at)
    archive = bench.archive(run.sample())
    bench.pushed(archive)
    measured = bench.verified(archive).measured
    assert "finer-time" not in {loss.code for loss in measured}


def test_times_of_system_metrics_are_foretold_to_be_doubles(bench: Bench) -> None:
    run = Recording(header("measured"))
    for number in range(20):
        at = START_NS + number * SECOND_NS + 53_098_000 + number
        run.log({"gpu.temp": number / 4}, time_ns=at, stream="system")
    archive = bench.archive(run.sample())
    bench.pushed(archive)
    bench.verified(archive)
