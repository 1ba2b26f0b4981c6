"""SwanLab's own words for converting: each option, and what arrives of W&B, TensorBoard and MLflow.

The options are those of https://docs.swanlab.cn (integration-wandb) and of swanlab 0.10.3's
`swanlab convert -h`.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from tensorboardX import SummaryWriter
from tests.readers.wandb_service_runs import RICH, columns, served
from tests.writers.neptune_runs import wandb_run

import runferry
from runferry import _native
from runferry.dialects.swanlab.wire import parsed
from runferry.errors import ExitCode, UsageError
from runferry.locations import locate
from runferry.losses import Fate
from runferry.model import Run, RunKey
from runferry.ports import Location
from runferry.python_apart import environment_apart
from runferry.swanlab import MLFlowConverter, TFBConverter, WandbConverter, WandbLocalConverter
from runferry.swanlab_roads import Goal, mlflow, wandb_folder, wandb_service
from runferry.testing.writer_laws import numbered
from runferry.transfer.selection import Selection
from runferry.writers.swanlab import SwanlabWriter

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SWANLAB_LOG_DIR", raising=False)
    return tmp_path


class Shown:
    """What SwanLab is shown of a run: the records of its log, by protobuf field numbers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (log,) = folder.glob("run-*.swanlab")
        self.scalars: dict[str, list[tuple[int, float]]] = {}
        self.records: list[tuple[int, Any]] = []
        scanner = _native.SwanlabScanner(log)
        while (batch := scanner.next()) is not None:
            self.records += [(number, parsed(content)) for number, _, _, content in batch.records]
            if batch.points is not None:
                import pyarrow as pa

                names = batch.series
                for row in pa.record_batch(batch.points).to_pylist():
                    value = (row["step"], row["value"])
                    self.scalars.setdefault(names[row["series"]], []).append(value)

    @property
    def start(self) -> Any:
        return next(message for number, message in self.records if number == 10)

    @property
    def config(self) -> dict[str, Any]:
        text = (self.folder / "files" / "config.yaml").read_text()
        return {key: entry["value"] for key, entry in yaml.safe_load(text).items()}

    def media(self, column_type: int) -> list[str]:
        found = [message for number, message in self.records if number == 14]
        return [message.text(1) for message in found if message.integer(3) == column_type]


def shown(root: Path) -> list[Shown]:
    return [Shown(folder) for folder in sorted(root.glob("run-*"))]


# --- options --------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["cloud", "online"])
def test_cloud_is_a_project_of_a_workspace(mode: Any) -> None:
    assert Goal("proj", "team", mode).road("x").destination == "swanlab:team/proj"
    assert Goal(None, "team", mode).road("x").destination == "swanlab:team"
    assert Goal("proj", None, mode).road("x").destination == "swanlab:@/proj"
    assert Goal(mode=mode).road("x").destination == "swanlab:@"
    assert locate("swanlab:", role="destination") == Location("swanlab", "@")


@pytest.mark.parametrize("mode", ["local", "offline"])
def test_offline_is_a_folder(mode: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Goal(mode=mode).road("x").destination == "swanlab:./swanlog"
    assert Goal(mode=mode, logdir="logs").road("x").destination == "swanlab:./logs"
    monkeypatch.setenv("SWANLAB_LOG_DIR", "/else")
    assert Goal(mode=mode).road("x").destination == "swanlab:/else"


def test_disabled_writes_nothing() -> None:
    report = WandbLocalConverter(mode="disabled").run(str(EXAMPLES / "wandb"))
    assert report.exit_code is ExitCode.DONE
    assert not Path("swanlog").exists()


def test_a_mode_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="no mode"):
        Goal(mode="nowhere").road("x")  # type: ignore[arg-type]


def test_wandb_options_name_a_place_and_without_a_run_all_are_meant() -> None:
    assert wandb_service("proj", "team", None) == ("wandb:team/proj", Selection())
    assert wandb_service("proj", "team", "r1") == ("wandb:team/proj", Selection(run_ids=("r1",)))
    assert wandb_service("proj", None, "r1") == (
        "wandb:",
        Selection(projects=("proj",), run_ids=("r1",)),
    )
    assert wandb_folder("./wandb", None) == "wandb:./wandb"
    assert wandb_folder("wandb", "run-1") == "wandb:./wandb/run-1"
    assert wandb_folder("./wandb", "/else/run-1") == "wandb:/else/run-1"


@pytest.mark.parametrize("project", [None, ""])
def test_wandb_without_a_project_is_refused(project: str | None) -> None:
    with pytest.raises(UsageError, match="no project"):
        wandb_service(project, "team", None)
    with pytest.raises(UsageError, match="no project"):
        WandbConverter().run(wb_entity="team")


def test_names_are_no_globs() -> None:
    for name in ("exp [v1]", "a*b", "what?", "[!x]", "plain"):
        _, selection = mlflow("http://127.0.0.1:5000", name, None)
        assert selection.takes_run(Run(RunKey("mlflow", "", "1"), project=name))
        assert not selection.takes_run(Run(RunKey("mlflow", "", "1"), project=f"{name}x"))
        _, selection = wandb_service(name, None, None)
        assert selection.takes_run(Run(RunKey("wandb", "", "1"), project=name))


def test_the_cloud_ends_with_0_though_it_holds_no_run_exactly() -> None:
    """What it cannot hold is told; `allow` says what else is to change the exit code."""
    assert Goal(mode="cloud").allowed is Fate.DROPPED
    assert Goal(mode="offline").allowed is None
    for allow, code in (("kept", ExitCode.LOSS), (None, ExitCode.DONE)):
        logdir = f"logs-{allow}"
        converter = WandbLocalConverter(mode="offline", log_dir=logdir, allow=allow)
        assert converter.run(str(EXAMPLES / "wandb")).exit_code is code


def test_the_words_of_0_10_3_are_taken() -> None:
    words: dict[str, Any] = {"mode": "offline", "log_dir": "logs", "tags": None, "resume": True}
    converter = WandbLocalConverter(**words, root_wandb_dir=str(EXAMPLES / "wandb"))
    ids = [run.run.key.run_id for run in runferry.load(f"wandb:{EXAMPLES / 'wandb'}")]
    assert converter.run(wb_run_id=ids[0]).exit_code is ExitCode.DONE
    assert [run.start.text(10) for run in shown(Path("logs"))] == [ids[0]]
    with pytest.raises(UsageError, match="tags"):
        WandbConverter(**{**words, "tags": ["t"]})


def test_mlflow_options_name_a_place() -> None:
    place = mlflow("http://127.0.0.1:5000", "exp", "r1")
    assert place == (
        "mlflow:http://127.0.0.1:5000",
        Selection(projects=("exp",), run_ids=("r1",)),
    )


def called(*args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "runferry", "swanlab", "convert", *args]
    return subprocess.run(
        command, env=environment_apart(), capture_output=True, text=True, timeout=120, check=False
    )


def test_the_command_line_takes_the_documents_options() -> None:
    wandb = str(EXAMPLES / "wandb")
    done = called(
        "-t", "wandb-local", "--wb-dir", wandb, "-p", "zoo", "-w", "team", "--mode", "offline",
        "-l", "logs", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["push"]["runs"]
    (first, _) = shown(Path("logs"))
    assert (first.start.text(1), first.start.text(2)) == ("zoo", "team")


def test_a_failure_changes_the_exit_code_and_resume_needs_a_run() -> None:
    assert called("-t", "wandb-local", "--wb-dir", "./nothing", "--mode", "offline").returncode == 1
    assert called("-t", "wandb", "--resume").returncode == 2
    assert called("-t", "wandb").returncode == 2
    assert called("-t", "aim").returncode == 2


# --- what arrives ---------------------------------------------------------------------------------


def test_run_folders_of_wandb_arrive_whole() -> None:
    """Not scalars alone, as the document says of SwanLab's own."""
    report = WandbLocalConverter(project="zoo", mode="offline").run(str(EXAMPLES / "wandb"))
    assert report.exit_code is ExitCode.DONE
    assert report.verify is not None
    assert report.verify.exit_code is ExitCode.DONE
    sources = {run.run.key.run_id: run for run in runferry.load(f"wandb:{EXAMPLES / 'wandb'}")}
    for found in shown(Path("swanlog")):
        source = sources.pop(found.start.text(10))
        assert found.start.text(1) == "zoo"
        assert found.start.text(4) == source.run.name
        assert found.start.time_ns(12) == source.run.started_ns
        assert found.scalars
        assert found.config["runferry"]["tracker"] == "wandb"
    assert not sources


def test_a_second_conversion_adds_nothing() -> None:
    for _ in range(2):
        assert WandbLocalConverter(mode="offline").run(str(EXAMPLES / "wandb")).exit_code == 0
    assert len(shown(Path("swanlog"))) == 2


def test_each_row_of_the_mapping_is_shown(tmp_path: Path) -> None:
    """Scalars with times, system metrics, summary, tags, group, job type, notes, config with its
    nesting, images, text, histograms, console and files."""
    sample = wandb_run()
    writer = SwanlabWriter.open(Location("swanlab", str(tmp_path / "out")))
    remote = writer.create(sample.run, sample.run.uid)
    for number, chunk in numbered(sample):
        writer.append(remote, number, chunk)
    writer.seal(remote, sample.run)
    writer.close()
    (found,) = shown(tmp_path / "out")
    assert found.scalars["train/loss"] == [(0, 1.0), (10, 0.5), (20, 1 / 3)]
    assert [value for _, value in found.scalars["__swanlab__.system.cpu"]] == [50.0, 51.0, 52.0]
    assert found.config["summary"] | {"image": None, "eval": None} == {
        "acc": 0.9, "_runtime": 60, "best/name": "x", "image": None, "eval": None,
    }  # fmt: skip
    assert found.config["summary"]["eval"] == {"table": {"_type": "table-file"}}
    assert found.config["layers"] == [1, 2]
    assert found.start.texts(6) == ("baseline", "v2")
    texts = [found.start.text(number) for number in (5, 7, 8)]
    assert texts == ["# notes", "sweep-7", "train"]
    assert found.media(2) == ["image"]
    assert found.media(4) == ["note"] * 3
    assert found.media(6) == ["weights"]
    files = {message.text(1) for number, message in found.records if number == 20}
    assert {"config", "metadata", "requirements", "code/train.py", "model.ckpt"} <= files
    metadata = json.loads((found.folder / "files" / "swanlab-metadata.json").read_text())
    assert metadata["runtime"] == {"hostname": "box", "python_version": "3.11"}


def test_the_service_of_wandb_arrives(tmp_path: Path) -> None:
    with served(tmp_path / "home") as service:
        for name in ("one", "two"):
            service.put_run(f"lab/proj/{name}", RICH, history_of=columns(50), live_rows=50)
        only = WandbConverter(mode="offline", logdir="only")
        assert only.run(wb_project="proj", wb_entity="lab", wb_runid="one").exit_code == 0
        every = WandbConverter(mode="offline", logdir="every")
        assert every.run(wb_project="proj", wb_entity="lab").exit_code == 0
    assert [run.start.text(10) for run in shown(Path("only"))] == ["one"]
    assert {run.start.text(10) for run in shown(Path("every"))} == {"one", "two"}
    assert all(len(next(iter(run.scalars.values()))) == 50 for run in shown(Path("every")))


def test_a_run_that_is_not_there_is_a_slip_of_the_call_whatever_it_is_asked_of(
    tmp_path: Path,
) -> None:
    with served(tmp_path / "home") as service:
        service.put_run("lab/proj/one", RICH, history_of=columns(5), live_rows=5)
        with pytest.raises(UsageError, match="no run is selected"):
            WandbConverter(mode="offline").run("proj", "lab", wb_runid="none")
    with SummaryWriter("events/a") as writer:
        writer.add_scalar("loss", 0.5, 0)
    assert (
        runferry.convert("tensorboard:events", f"mlflow:sqlite:///{tmp_path}/m.db").exit_code == 0
    )
    with pytest.raises(UsageError, match="no run is selected"):
        MLFlowConverter(mode="offline").run(f"sqlite:///{tmp_path}/m.db", run_id="none")


def test_runs_move_on_into_another_project_of_the_same_folder() -> None:
    with SummaryWriter("events/a") as writer:
        writer.add_scalar("loss", 0.5, 0)
    for project in ("two", "three"):
        report = TFBConverter(project=project, mode="offline", logdir="d").run("events")
        assert report.exit_code == 0
        (found,) = shown(Path("d"))
        assert found.start.text(1) == project
    assert TFBConverter(mode="offline", logdir="d").run("events").exit_code == 0
    (found,) = shown(Path("d"))
    assert found.start.text(1) == "three"


def test_event_files_arrive_with_their_times() -> None:
    with SummaryWriter("events/a") as writer:
        for step in range(5):
            writer.add_scalar("loss", step / 4, step, walltime=1_700_000_000.5 + step)
        writer.add_text("note", "hello", 1)
    assert TFBConverter(mode="offline", types=None).run("events", depth=3).exit_code == 0
    (found,) = shown(Path("swanlog"))
    assert found.scalars["loss"] == [(step, step / 4) for step in range(5)]
    assert found.media(4) == ["note/text_summary"]


def test_only_the_types_that_are_named_arrive_and_the_others_are_told() -> None:
    with SummaryWriter("events/a") as writer:
        writer.add_scalar("loss", 0.5, 0)
        writer.add_text("note", "hello", 1)
        writer.add_histogram("weights", np.arange(8.0), 2)
        for step in range(3):
            writer.add_image("picture", np.zeros((3, 4, 4), np.uint8), step)
    report = TFBConverter(mode="offline", types="scalar, text").run("events")
    assert report.exit_code is ExitCode.DONE
    assert report.verify is not None
    assert report.push is not None
    (run,) = report.push.outcomes
    left = {loss.where: loss.count for loss in run.losses if loss.code == "left-out"}
    assert left == {"weights": 1, "image": 3}
    (found,) = shown(Path("swanlog"))
    assert found.scalars["loss"] == [(0, 0.5)]
    assert found.media(4) == ["note/text_summary"]
    assert {message.integer(3) for number, message in found.records if number == 14} == {4}
    again = TFBConverter(mode="offline", logdir="else", types="image").run("events")
    assert again.exit_code is ExitCode.DONE
    (found,) = shown(Path("else"))
    assert (found.scalars, found.media(2)) == ({}, ["picture"] * 3)
    with pytest.raises(UsageError, match="picture is no type"):
        TFBConverter(types="picture").run("events")


def test_mlflow_arrives() -> None:
    store = "sqlite:///runs.db"
    runferry.convert(str(EXAMPLES / "wandb"), f"mlflow:{store}")
    converted = MLFlowConverter(mode="offline").run(store)
    assert converted.exit_code is ExitCode.DONE
    assert len(shown(Path("swanlog"))) == 2
    with closing(sqlite3.connect("runs.db")) as database:
        query = "SELECT experiment_id, name FROM experiments WHERE experiment_id IN " \
            "(SELECT experiment_id FROM runs)"  # fmt: skip
        for number, name in database.execute(query):
            assert mlflow(store, str(number), None)[1] == mlflow(store, name, None)[1]
