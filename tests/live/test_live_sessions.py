"""Sessions: what belongs together is delivered together, whoever captured it."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from training import ended, rows, settled, start, train

import runferry
from runferry.live.layout import sessions
from runferry.live.origins import came_from, is_read_there
from runferry.model import Run, RunKey
from runferry.ports import Location

pytest.importorskip("tensorboardX", reason="tensorboardX is not installed")

RESUMED = {
    "wandb": """
from runferry.live.interfaces import stop_logging, sync_wandb
sync_wandb(to=["archive:./mirrored", "jsonl:./lines"])
import wandb
with wandb.init(id="again", name="first", mode="offline", dir=".", resume="allow") as run:
    for step in STEPS:
        run.log({"loss": step}, step=step)
""",
    "mlflow": """
import logging
logging.disable(logging.WARNING)
os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
from runferry.live.interfaces import stop_logging, sync_mlflow
sync_mlflow(to=["archive:./mirrored", "jsonl:./lines"])
import mlflow
mlflow.set_tracking_uri("mlruns")
found = mlflow.search_runs(output_format="list")
if found:
    mlflow.start_run(run_id=found[0].info.run_id)
else:
    mlflow.start_run(run_name="first")
    mlflow.log_param("lr", 1)
    mlflow.log_text("hello", "text.txt")
for step in STEPS:
    mlflow.log_metric("loss", step, step=step)
mlflow.end_run()
""",
}


@pytest.mark.parametrize("sdk", ["wandb", pytest.param("mlflow", marks=pytest.mark.slow)])
def test_a_run_that_goes_on_in_another_process_keeps_what_it_had(tmp_path: Path, sdk: str) -> None:
    """Also in a destination that is written whole, without a folder that both have named."""
    pytest.importorskip(sdk, reason=f"{sdk} is not installed")
    for steps in ("range(5)", "range(5, 8)"):
        train(tmp_path, f"STEPS = {steps}\n{RESUMED[sdk]}\nstop_logging()")
    assert len(sessions(tmp_path / ".runferry" / "live")) == 2
    for place in (f"archive:{tmp_path / 'mirrored'}", f"jsonl:{tmp_path / 'lines'}"):
        (run,) = runferry.load(place)
        assert run.run.name == "first"
        assert rows(place)["loss"] == [(step, step) for step in range(8)]
        if sdk == "mlflow":
            assert run.config == {"lr": "1"}
            assert "text.txt" in [file.path for file in run.files]


def test_ranks_of_one_training_have_one_session(tmp_path: Path) -> None:
    code = """
    from runferry.live.interfaces import sync_tensorboard
    sync_tensorboard(to=["archive:./mirrored", "jsonl:./lines"])
    from tensorboardX import SummaryWriter
    with SummaryWriter(f"runs/{sys.argv[1]}") as writer:
        for step in range(50):
            writer.add_scalar(sys.argv[1], step, step)
    """
    for process in [start(tmp_path, code, f"rank{number}") for number in range(2)]:
        ended(process)
    assert settled(tmp_path).state == "done"
    expected = {f"rank{number}": [(n, float(n)) for n in range(50)] for number in range(2)}
    assert rows(f"archive:{tmp_path / 'mirrored'}") == expected
    assert rows(f"jsonl:{tmp_path / 'lines'}") == expected


def test_what_is_captured_while_the_delivery_ends_is_delivered(tmp_path: Path) -> None:
    """It waits for a dead destination when the next process begins."""
    code = """
    import json
    from runferry.live.interfaces import stop_logging, sync_tensorboard
    to = ["archive:./mirrored", "mlflow:http://127.0.0.1:9"]
    session = sync_tensorboard(to=to, journal="session")
    from tensorboardX import SummaryWriter
    from runferry.live.status import Status
    def waited(wanted):
        deadline = time.monotonic() + 100
        while time.monotonic() < deadline:
            status = Status.read(session.layout.status)
            if status is not None and wanted(status):
                return
            time.sleep(0.02)
        raise AssertionError(status)
    writer = SummaryWriter("runs/a")
    writer.add_scalar("loss", 0, 0)
    stop_logging(timeout=0)
    waited(lambda status: status.state == "delivering" and not status.destinations[0].pending)
    sync_tensorboard(to=to, journal="session")
    writer.add_scalar("loss", 1, 1)
    waited(lambda status: 2 < status.captured == status.destinations[0].delivered)
    os.kill(Status.read(session.layout.status).process, 15)
    """
    train(tmp_path, code)
    assert rows(f"archive:{tmp_path / 'mirrored'}")["loss"] == [(0, 0.0), (1, 1.0)]


@pytest.mark.parametrize(
    "patched",
    [
        pytest.param(
            "run = wandb.init(mode='offline', dir='.', sync_tensorboard=True)",
            id="sync_tensorboard",
        ),
        pytest.param(
            "wandb.tensorboard.patch(root_logdir='runs')\n"
            "run = wandb.init(mode='offline', dir='.')",
            id="patch",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_what_wandb_reads_out_of_event_files_is_mirrored_once(tmp_path: Path, patched: str) -> None:
    pytest.importorskip("wandb", reason="wandb is not installed")
    code = """
    from tensorboardX import SummaryWriter
    with SummaryWriter("runs/a") as writer:
        for step in range(5):
            writer.add_scalar("loss", step, step)
    run.log({"mine": 1})
    run.finish()
    """
    begin = "import runferry\nrunferry.sync_wandb(to='archive:./mirrored')\nimport wandb\n"
    train(tmp_path, f"{begin}{patched}\n{textwrap.dedent(code)}")
    assert settled(tmp_path).state == "done"
    found = rows(f"archive:{tmp_path / 'mirrored'}")
    assert found.pop("_runtime")
    assert found == {"loss": [(n, float(n)) for n in range(5)], "mine": [(0, 1)]}


WANDB = {"tracker": "wandb", "stream": "x", "project": "zoo", "entity": None, "is_offline": False}
FILES = "/home/wandb/offline-run-20240102_030405-x/files"
EVENTS = {"tracker": "tensorboard", "file": "/home/runs/a/events.1", "cwd": "/home"}


def _run(tracker: str, run_id: str) -> Run:
    return Run(RunKey(tracker, "", run_id))


@pytest.mark.parametrize(
    ("place", "run", "facts", "expected"),
    [
        ("wandb:e/zoo", _run("wandb", "x"), WANDB, True),
        ("wandb:e/other", _run("wandb", "x"), WANDB, False),
        ("wandb:e/zoo", _run("wandb", "x"), {**WANDB, "entity": "f"}, False),
        ("wandb:e/zoo", _run("wandb", "x"), {**WANDB, "is_offline": True}, False),
        ("wandb:./zoo", _run("wandb", "x"), WANDB, False),
        ("wandb:/home/wandb", _run("wandb", "x"), {**WANDB, "files": FILES}, True),
        ("wandb:/home/other", _run("wandb", "x"), {**WANDB, "files": FILES}, False),
        ("wandb:e/zoo", _run("wandb", "x"), {**WANDB, "files": FILES}, True),
        ("wandb:e/zoo", _run("wandb", "another"), WANDB, False),
        ("tensorboard:/home/runs", _run("tensorboard", "runs/a@1"), EVENTS, True),
        ("tensorboard:/home/other", _run("tensorboard", "runs/a@1"), EVENTS, False),
        ("tensorboard:/home/runs", _run("tensorboard", "elsewhere@1"), EVENTS, False),
    ],
)
def test_a_run_is_kept_from_the_place_it_came_from(
    place: str, run: Run, facts: dict[str, object], expected: bool
) -> None:
    tracker, _, where = place.partition(":")
    assert came_from(Location(tracker, where), run, facts) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize("tracker", ["wandb", "tensorboard"])
def test_a_place_that_is_named_by_a_link_is_the_same(tmp_path: Path, tracker: str) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir()
    link.symlink_to(real)
    facts = {"tracker": tracker, "stream": "x", "cwd": str(link)}
    facts |= {"files": f"{link}/run-1-x/files", "file": f"{link}/a/events.1"}
    run = _run(tracker, {"wandb": "x", "tensorboard": "a@1"}[tracker])
    for place in (real, link):
        assert came_from(Location(tracker, str(place)), run, facts)  # type: ignore[arg-type]


def test_event_files_that_wandb_reads_into_a_project_are_kept_from_it() -> None:
    run, read = _run("tensorboard", "runs/a@1"), [(Path("/home/runs"), WANDB)]
    for where, expected in (("e/zoo", True), ("e/other", False), ("./zoo", False)):
        place = Location("wandb", where)
        assert is_read_there(place, run, [EVENTS], read) == expected  # type: ignore[list-item]
    assert not is_read_there(Location("mlflow", "m.db"), run, [EVENTS], read)  # type: ignore[list-item]
