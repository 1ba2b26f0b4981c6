"""A run of SwanLab that the training process has begun is where others are mirrored to."""

from __future__ import annotations

import signal
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.writers.swanlab_service import SwanlabService, signed_in
from training import ended, settled, start, told, train

import runferry
from runferry.dialects.swanlab.adopted import AdoptedNote
from runferry.errors import UsageError
from runferry.live import swanlab_run
from runferry.live.layout import sessions
from runferry.python_apart import environment_apart

pytest.importorskip("swanlab", reason="no swanlab package")
pytest.importorskip("tensorboardX", reason="tensorboardX is not installed")

BEGINS = """
import json, runferry, swanlab
quiet = swanlab.Settings(
    interactive=False,
    probe=dict.fromkeys(("hardware", "runtime", "requirements", "conda", "git", "monitor"), False),
)
theirs = swanlab.init(
    project="zoo", experiment_name="lion", mode=sys.argv[1], settings=quiet,
    config={"lr": 0.1, "own": 1},
)
swanlab.log({"loss": 10.0}, step=0)
swanlab.log({"loss": 11.0}, step=7)
"""
LOGS_EVENTS = """
runferry.sync_tensorboard(root="runs")
from tensorboardX import SummaryWriter
with SummaryWriter("runs/a") as writer:
    for step in range(3):
        writer.add_scalar("loss", step, step, walltime=1_700_000_000 + step)
        writer.add_scalar("acc", step / 2, step, walltime=1_700_000_000 + step)
"""
THEIRS = [(0, 10.0), (7, 11.0)]
OURS = [(0, 0.0), (1, 1.0), (2, 2.0)]
ALL = {"loss": THEIRS, "tensorboard/loss": OURS, "acc": [(0, 0.0), (1, 0.5), (2, 1.0)]}


def run_in(folder: Path) -> Any:
    """The only run of SwanLab below a folder, as our reader reads it."""
    (found,) = runferry.load(f"swanlab:{folder / 'swanlog'}")
    return found


def rows_of(run: Any) -> dict[str, list[tuple[int, float]]]:
    found: dict[str, list[tuple[int, float]]] = {}
    for row in run.points.to_pylist():
        found.setdefault(row["key"], []).append((row["step"], row["value"]))
    return found


def config_of(run: Any) -> dict[str, Any]:
    return {key: value for key, value in run.config.items() if key != "runferry"}


def about_of(run: Any) -> list[dict[str, Any]]:
    """What is told of each run that was added, by their names."""
    told = [one for one in run.config["runferry"].values() if "run_id" in one]
    return sorted(told, key=lambda one: str(one["name"]))


def forget_deliveries(root: Path) -> None:
    """As if the delivery had been killed before it could note that it was through."""
    (root / "archive" / "ledger.sqlite").unlink()


def resumed(root: Path, cwd: Path) -> None:
    command = [sys.executable, "-P", "-m", "runferry.live.deliver", str(root), "--here"]
    subprocess.run(command, cwd=cwd, env=environment_apart(), timeout=120, check=True)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[SwanlabService]:
    with signed_in(tmp_path / "home") as service:
        yield service


def sent(service: SwanlabService) -> dict[str, list[tuple[int, float]]]:
    found: dict[str, list[tuple[int, float]]] = {}
    for one in service.metrics.get("scalar", ()):
        found.setdefault(one["key"], []).append((one["index"], one["data"]))
    return found


def test_events_go_into_the_run_that_is_open_once_and_its_name_and_id_stay(tmp_path: Path) -> None:
    train(tmp_path, BEGINS + LOGS_EVENTS + "swanlab.finish()", "offline")
    status = settled(tmp_path)
    assert status.state == "done"
    run = run_in(tmp_path)
    assert rows_of(run) == ALL
    assert (run.run.name, run.run.project, run.run.state) == ("lion", "zoo", "finished")
    assert config_of(run) == {"lr": 0.1, "own": 1}
    (place,) = status.destinations
    assert place.losses["taken-key"] == 1
    times = [row["time"] for row in run.points.to_pylist() if row["key"] == "acc"]
    assert [int(time.timestamp()) for time in times] == [1_700_000_000 + step for step in range(3)]
    (log,) = (tmp_path / "swanlog").glob("run-*/run-*.swanlab")
    first = log.read_bytes()
    (root,) = sessions(tmp_path / ".runferry" / "live")
    forget_deliveries(root)
    resumed(root, tmp_path)
    assert log.read_bytes() == first


WANDB_TWICE = """
runferry.sync_wandb()
import wandb
for name in ("one", "two"):
    config = {"lr": name, name: True}
    with wandb.init(project="other", name=name, mode="offline", dir=".", config=config) as run:
        run.log({"loss": 1.5})
        print(f"a line of {name}")
"""


def test_wandbs_config_updates_the_runs_own_and_what_it_replaces_is_kept(tmp_path: Path) -> None:
    pytest.importorskip("wandb", reason="no wandb package")
    train(tmp_path, BEGINS + WANDB_TWICE, "offline")
    assert settled(tmp_path, 90).state == "done"
    run = run_in(tmp_path)
    assert (run.run.name, run.run.project) == ("lion", "zoo")
    assert {"lr": "two", "own": 1, "one": True, "two": True}.items() <= config_of(run).items()
    one, two = about_of(run)
    assert run.config["runferry"]["replaced_config"] == {"lr": 0.1}
    assert one["replaced_config"] == {"lr": "one"}
    assert (one["name"], one["project"], two["name"]) == ("one", "other", "two")
    found = rows_of(run)
    assert found["loss"] == THEIRS
    assert found["wandb/loss"] == [(0, 1.5)]
    (second,) = (
        f"wandb/{told['run_id']}/loss"
        for told in (one, two)
        if f"wandb/{told['run_id']}/loss" in found
    )
    assert found[second] == [(0, 1.5)]


@pytest.mark.slow
def test_a_run_in_the_cloud_gets_what_is_new_and_none_of_its_own_twice(
    tmp_path: Path, service: SwanlabService
) -> None:
    train(tmp_path, BEGINS + LOGS_EVENTS + "print(json.dumps(theirs.id))", "online")
    status = settled(tmp_path)
    assert (status.state, status.destinations[0].failing) == ("done", None)
    assert sent(service) == ALL
    (root,) = sessions(tmp_path / ".runferry" / "live")
    forget_deliveries(root)
    resumed(root, tmp_path)
    assert sent(service) == ALL
    assert len(service.experiments) == 1
    (made,) = service.experiments.values()
    assert made["name"] == "lion"
    assert set(service.states) == {"FINISHED"}
    assert service.states[-1] == "FINISHED"


@pytest.mark.slow
def test_of_a_run_in_the_cloud_whose_process_was_killed_no_key_is_taken_for_free(
    tmp_path: Path, service: SwanlabService
) -> None:
    """What its client had sent, its log need not have: so none may be behind a step of theirs."""
    process = start(
        tmp_path,
        BEGINS + "import time; time.sleep(1.5)" + LOGS_EVENTS + "os.kill(os.getpid(), 9)",
        "online",
    )
    ended(process, -signal.SIGKILL)
    assert settled(tmp_path).state == "done"
    found = sent(service)
    assert found.pop("loss", THEIRS) == THEIRS
    assert found == {"tensorboard/loss": OURS, "tensorboard/acc": ALL["acc"]}
    assert service.states == ["CRASHED"]


@pytest.mark.slow
def test_of_a_run_on_the_disk_whose_process_was_killed_what_was_mirrored_is_there(
    tmp_path: Path,
) -> None:
    ended(start(tmp_path, BEGINS + LOGS_EVENTS + "os.kill(os.getpid(), 9)", "offline"), -9)
    assert settled(tmp_path).state == "done"
    run = run_in(tmp_path)
    assert (run.run.name, run.run.project) == ("lion", "zoo")
    found = rows_of(run)  # its client's buffer is gone with the process
    assert found["acc"] == ALL["acc"]
    assert OURS in (found["loss"], found.get("tensorboard/loss"))


@pytest.mark.slow
def test_what_mlflow_and_an_offline_wandb_log_goes_there_too(tmp_path: Path) -> None:
    pytest.importorskip("wandb", reason="no wandb package")
    pytest.importorskip("mlflow", reason="mlflow is not installed")
    train(
        tmp_path,
        BEGINS
        + """
runferry.sync_wandb(mode="online", wandb_run=False)
runferry.sync_mlflow(mode="local")  # the run that is open decides
import mlflow, wandb
mlflow.set_tracking_uri("sqlite:///own.db")
with mlflow.start_run(run_name="flow"):
    mlflow.log_param("depth", 3)
    mlflow.log_metric("of flow", 0.5, step=4)
with wandb.init(project="other", name="bee", dir=".") as run:
    run.log({"of bee": 2.5})
""",
        "offline",
    )
    assert settled(tmp_path, 90).state == "done"
    run = run_in(tmp_path)
    found = rows_of(run)
    assert (found["of flow"], found["of bee"]) == ([(4, 0.5)], [(0, 2.5)])
    assert found["loss"] == THEIRS
    assert run.config["depth"] in (3, "3")
    assert [told["name"] for told in about_of(run)] == ["bee", "flow"]


def test_nobody_who_stops_logging_waits_for_a_run_that_is_open(tmp_path: Path) -> None:
    out = train(
        tmp_path,
        BEGINS
        + LOGS_EVENTS
        + """
time.sleep(1)
began = time.monotonic()
(told,) = runferry.stop_logging(timeout=60).values()
print(json.dumps([time.monotonic() - began, told]))
swanlab.log({"loss": 12.0}, step=8)
""",
        "offline",
    )
    seconds, place = told("\n".join(line for line in out.splitlines() if line.startswith("[")))
    assert seconds < 20
    assert place["failing"] is None
    assert place["waiting"] == "waits until SwanLab's client has ended its run"
    assert settled(tmp_path).state == "done"
    assert rows_of(run_in(tmp_path)) == {**ALL, "loss": [*THEIRS, (8, 12.0)]}


def test_into_a_run_of_which_swanlab_keeps_nothing_nothing_goes(tmp_path: Path) -> None:
    out = train(
        tmp_path,
        BEGINS + "print(json.dumps([runferry.sync_tensorboard(), runferry.sync_mlflow()]))",
        "disabled",
    )
    assert "[null, null]" in out
    assert not (tmp_path / ".runferry").exists()


@pytest.mark.parametrize("mode", ["another", None])
def test_a_run_that_cannot_be_adopted_is_an_error_and_not_another_run(
    tmp_path: Path, mode: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = types.SimpleNamespace(id="a", dir=tmp_path) if mode is None else None
    run = run or types.SimpleNamespace(id="a", dir=tmp_path, mode=mode)
    module = types.SimpleNamespace(has_run=lambda: True, get_run=lambda: run)
    monkeypatch.setitem(sys.modules, "swanlab", module)
    with pytest.raises(UsageError, match="cannot go into that one"):
        runferry.sync_wandb()
    monkeypatch.setattr(module, "has_run", lambda: False)
    assert swanlab_run.open_run() is None


def test_a_run_of_the_local_dashboard_is_a_place(tmp_path: Path) -> None:
    """Filled in tests/packaging/test_swanlab_watched.py, by SwanLab's client with its dashboard."""
    folder = tmp_path / "swanlog" / "run-a"
    folder.mkdir(parents=True)
    run = types.SimpleNamespace(id="a", dir=folder, mode="local")
    assert swanlab_run.adopted_place(run) == f"swanlab:{folder}"
    swanlab_run._held.pop(folder).close()
    note = AdoptedNote.of(folder)
    assert note is not None
    assert (note.run_id, note.mode) == ("a", "local")
