"""`runferry convert wandb: neptune:`: the whole road, from a service to a server and to a queue."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("neptune", reason="neptune is not installed")

import neptune
import numpy as np
from neptune_shown import replayed
from tests.cli.calling import Answer, Caller
from tests.readers.wandb_service_runs import KEY, columns, served

from runferry import settings
from runferry.testing.neptune_backend import NeptuneServer
from runferry.testing.wandb_service import RunContent, WandbService

TOKEN = "bmVwdHVuZS1zZWNyZXQ="
BEGAN = 1_700_000_000.25
STEPS = np.arange(3, dtype=np.int64)
HISTORY = {
    "_step": STEPS * 10,
    "_timestamp": BEGAN + STEPS,
    "_runtime": STEPS / 2,
    "train/loss": 1 / (STEPS + 1.0),
}
FILES = (
    "output.log", "code/train.py", "requirements.txt", "model.ckpt", "my-checkpoint/weights.bin",
    "notes/readme.md", "artifact/1/x", "config.yaml", "media/images/i.png", "wandb-summary.json",
)  # fmt: skip
OBJECTS = {
    "picture": {
        "_type": "image-file", "sha256": "0" * 64, "size": 3, "width": 1, "height": 1,
        "path": "media/images/picture_2_0.png", "format": "png",
    },
    "weights": {"_type": "histogram", "values": [1, 2], "bins": [0.0, 0.5, 1.0]},
    "eval": {
        "table": {
            "_type": "table-file", "sha256": "1" * 64, "size": 3, "ncols": 2, "nrows": 1,
            "path": "media/table/eval/table_2_1.table.json", "log_mode": "IMMUTABLE",
            "artifact_path": "wandb-client-artifact://abc/eval/table.table.json",
        },
    },
}  # fmt: skip
"""As wandb 0.31 leaves an Image, a Histogram and a Table in the summary."""
METADATA = b'{"host": "box", "startedAt": "2023-11-14T22:13:20.123456789Z", "python": "3.11"}'
FULL = RunContent(
    name="fluffy-cloud-1",
    config={"lr": 0.1, "epochs": 3, "layers": [1, 2], "nothing": None, "amp": True},
    summary={"acc": 0.9, "_runtime": 60, "best": {"name": "x"}, **OBJECTS},
    tags=("baseline", "v2"),
    notes="# notes",
    group="sweep-7",
    job_type="train",
    host="box",
    created_at="2023-11-14T22:13:20",
    events=[{"_timestamp": BEGAN + n, "_runtime": n, "system.cpu": 50.0 + n} for n in range(700)],
    console=["2023-11-14T22:13:21.000001 epoch 1", "2023-11-14T22:13:22.000001 epoch 2"],
    files={name: name.encode() for name in FILES} | {"wandb-metadata.json": METADATA},
)


def fill(service: WandbService) -> None:
    service.put_run("lab/example_project/abc123", FULL, history_of=HISTORY)
    for project in ("second", "third"):
        for number in range(2):
            service.put_run(f"lab/{project}/{project}-{number}", history_of=columns(20))


@dataclass
class Moved:
    server: NeptuneServer
    folder: Path
    url: str
    answer: Answer

    @property
    def run(self) -> dict[str, Any]:
        return self.server.values("team/example-project", "abc123")

    @property
    def files(self) -> dict[str, dict[str, bytes]]:
        return self.server.contents("team/example-project", "abc123")

    def rows(self, path: str) -> list[tuple[float, float, Any]]:
        return list(self.run[path])


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WandbService]:
    with served(tmp_path_factory.mktemp("account")) as service:
        fill(service)
        yield service
        assert not service.failures


@pytest.fixture
def service_with_artifacts(tmp_path: Path) -> Iterator[WandbService]:
    with served(tmp_path / "account") as service:
        service.put_run("lab/arts/maker", history_of=columns(5))
        for name, kind in (("net", "model"), ("data", "dataset")):
            files = {"a.bin": name.encode()}
            service.put_artifact(f"lab/arts/{name}", kind, files, logged_by="lab/arts/maker")
        yield service


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[NeptuneServer]:
    server = NeptuneServer(tmp_path / "server")
    server.install(monkeypatch.setattr)
    _here(monkeypatch, tmp_path)
    yield server
    settings.install(None)


def _here(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("NEPTUNE_PROJECT", "team/any")
    monkeypatch.setenv("NEPTUNE_API_TOKEN", TOKEN)
    monkeypatch.setenv("RUNFERRY_NEPTUNE_MODE", "sync")


@pytest.fixture(scope="module")
def moved(service: WandbService, tmp_path_factory: pytest.TempPathFactory) -> Moved:
    folder = tmp_path_factory.mktemp("moved")
    with pytest.MonkeyPatch.context() as monkeypatch:
        server = NeptuneServer(folder / "server")
        server.install(monkeypatch.setattr)
        _here(monkeypatch, folder)
        answer = Caller(folder)("convert", "wandb:", "neptune:", "--workers", "3", "--json")
    settings.install(None)
    return Moved(server, folder, service.url, answer)


def statuses(answer: Answer) -> dict[str, int]:
    assert answer.json["push"]["aborted"] is None
    counts: dict[str, int] = answer.json["push"]["counts"]
    return counts


# --- each row of the table


def test_all_projects_of_the_default_entity_are_moved(moved: Moved) -> None:
    assert moved.answer.code == 0, moved.answer.err
    assert statuses(moved.answer) == {"new": 5}
    assert moved.answer.json["verify"]["clean"]
    assert moved.server.refused == []


def test_project_name(moved: Moved) -> None:
    assert set(moved.server.projects) == {"team/example-project", "team/second", "team/third"}
    assert len(moved.server.creations) == 3, "and each was made once, whatever the workers"


def test_project_url_visibility_and_description(moved: Moved) -> None:
    url = f"{moved.url}/lab/example_project"
    assert moved.server.project_values("team/example-project")["wandb_url"] == url
    (made,) = (made for made in moved.server.creations if made["name"] == "example-project")
    assert (made["visibility"], made["description"]) == ("workspace", f"Exported from {url}")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("sys/name", "fluffy-cloud-1"),
        ("sys/description", "# notes"),
        ("sys/tags", {"baseline", "v2"}),
        ("sys/group_tags", {"sweep-7"}),
        ("config/lr", 0.1),
        ("config/epochs", 3),
        ("config/amp", True),
        ("config/layers", "[1,2]"),
        ("config/nothing", "None"),
        ("summary/acc", 0.9),
        ("summary/best/name", "x"),
        ("wandb/entity", "lab"),
        ("wandb/project", "example_project"),
        ("wandb/state", "finished"),
        ("wandb/job_type", "train"),
        ("wandb/id", "abc123"),
    ],
)
def test_fields_config_summary_and_attributes(moved: Moved, path: str, value: object) -> None:
    assert moved.run[path] == value


def test_what_the_header_says_is_there_once(moved: Moved) -> None:
    """The metadata of W&B says the host and the start too."""
    started = datetime(2023, 11, 14, 22, 13, 20, 123000, UTC)  # Neptune keeps milliseconds
    assert (moved.run["wandb/host"], moved.run["wandb/started_at"]) == ("box", started)
    assert moved.run["wandb/python"] == "3.11"
    assert not [path for path in moved.run if "~" in path]
    assert "renamed-key" not in {loss["code"] for loss in moved.answer.json["push"]["losses"]}


def test_metrics_have_both_their_steps_and_their_times(moved: Moved) -> None:
    assert moved.rows("train/loss") == [
        (step * 10.0, BEGAN + step, 1 / (step + 1)) for step in range(3)
    ]


def test_system_metrics_are_the_full_stream_without_their_prefix(moved: Moved) -> None:
    assert [value for _, _, value in moved.rows("monitoring/cpu")] == [50.0 + n for n in range(700)]


def test_system_logs_are_a_line_each(moved: Moved) -> None:
    assert [line for _, _, line in moved.rows("monitoring/stdout")] == ["epoch 1", "epoch 2"]


@pytest.mark.parametrize(
    ("attribute", "names"),
    [
        ("source_code/files", {"train.py"}),
        ("source_code/requirements", {""}),
        ("checkpoints", {"model.ckpt", "my-checkpoint/weights.bin"}),
        ("files", {"notes/readme.md"}),
    ],
)
def test_files(moved: Moved, attribute: str, names: set[str]) -> None:
    assert set(moved.files[attribute]) == names


def test_what_is_left_out_by_default(moved: Moved) -> None:
    assert not {"summary/_runtime", "_runtime", "_step"} & set(moved.run)
    summaries = {path for path in moved.run if path.startswith("summary/")}
    assert summaries == {"summary/acc", "summary/best/name"}
    (outcome,) = (run for run in moved.answer.json["push"]["runs"] if "abc123" in run["run"])
    left = {loss["where"] for loss in outcome["losses"] if loss["code"] == "left-out"}
    assert {"summary.picture", "summary.weights", "summary.eval", "summary._runtime"} <= left


def test_the_report_says_that_relative_time_begins_before_the_run(moved: Moved) -> None:
    (note,) = moved.answer.json["notes"]
    assert "creation time" in note


# --- conduct


def test_each_switch_and_all_include_what_is_left_out(
    service: WandbService, server: NeptuneServer
) -> None:
    args = ("convert", "wandb:lab/example_project", "neptune:", "--json")
    runferry = Caller(Path())
    answer = runferry(*args, "--include", "_summary", "--include", "media/")
    assert answer.code == 0, answer.err
    run = server.values("team/example-project", "abc123")
    assert run["summary/_runtime"] == 60
    assert "_runtime" not in run
    answer = runferry(*args, "--include", "all")
    assert answer.code == 0, answer.err
    assert statuses(answer) == {"replaced": 1}
    assert len(server.values("team/example-project", "abc123")["_runtime"]) == 3
    answer = runferry(*args, "--include", "_summary", "--archive", "another")
    assert statuses(answer) == {"replaced": 1}, "also where another archive sent it"
    assert len(server.runs) == 1


@pytest.mark.parametrize(
    ("switch", "there"),
    [
        (None, set()),
        ("models", {"artifacts/net:v0"}),
        ("objects", {"artifacts/data:v0"}),
        ("all", {"artifacts/net:v0", "artifacts/data:v0"}),
    ],
)
def test_artifacts_are_sets_of_files_on_request(
    service_with_artifacts: WandbService, server: NeptuneServer, switch: str | None, there: set[str]
) -> None:
    include = () if switch is None else ("--include", switch)
    answer = Caller(Path())("convert", "wandb:lab/arts", "neptune:", "--json", *include)
    assert answer.code == 0, answer.err
    sets = server.contents("team/arts", "maker")
    assert {name for name in sets if name.startswith("artifacts/")} == there
    for name in there:
        assert sets[name] == {"a.bin": name.partition("/")[2].partition(":")[0].encode()}
    (run,) = answer.json["push"]["runs"]
    left = {loss["where"] for loss in run["losses"] if loss["code"] == "left-out"}
    types = {"artifacts/net:v0": "model", "artifacts/data:v0": "dataset"}
    assert left & {*types.values()} == {of for name, of in types.items() if name not in there}


def test_a_project_that_is_not_there_is_warned_about_and_the_others_are_moved(
    service: WandbService, server: NeptuneServer
) -> None:
    args = ("convert", "wandb:lab", "neptune:", "--project", "second")
    answer = Caller(Path())(*args, "--project", "nope", "--json")
    assert answer.code == 0, answer.err
    assert statuses(answer) == {"new": 2}
    assert "no run in a project nope: left out" in answer.err
    assert "second: left out" not in answer.err


def test_an_unknown_switch_is_told_before_anything_is_pulled(
    service: WandbService, server: NeptuneServer
) -> None:
    answer = Caller(Path())("convert", "wandb:lab", "neptune:", "--include", "nothing")
    assert answer.code == 2
    assert "artifact/" in answer.err
    assert not Path(".runferry", "runs").exists()


def test_visibility_and_description_are_as_asked_for(
    service: WandbService, server: NeptuneServer
) -> None:
    answer = Caller(Path())(
        "convert", "wandb:lab/third", "neptune:", "--visibility", "private", "--description", "Ours"
    )
    assert answer.code == 0, answer.err
    (made,) = server.creations
    assert (made["visibility"], made["description"]) == ("priv", "Ours")


def test_a_wrong_visibility_is_named_as_it_was_given(server: NeptuneServer) -> None:
    answer = Caller(Path())("convert", "wandb:lab", "neptune:", "--visibility", "nobody")
    assert answer.code == 2
    assert "`--visibility` cannot be 'nobody'" in answer.err


def test_a_second_migration_makes_no_duplicate(
    service: WandbService, server: NeptuneServer
) -> None:
    runferry = Caller(Path())
    args = ("convert", "wandb:lab", "neptune:", "--project", "second", "--json")
    assert statuses(runferry(*args)) == {"new": 2}
    before = {key: server.values(*key) for key in server.runs}
    operations = server.operations
    again = runferry(*args)
    assert statuses(again) == {"unchanged": 2}
    assert again.json["notes"] == []
    assert server.operations == operations
    elsewhere = runferry(*args, "--archive", "another")
    assert elsewhere.code == 0, elsewhere.err
    assert statuses(elsewhere) == {"unchanged": 2}
    assert {key: server.values(*key) for key in server.runs} == before


def test_one_runs_failure_is_told_and_logged_and_the_rest_go_on(
    service: WandbService, server: NeptuneServer
) -> None:
    server.add("team/second")
    theirs = neptune.init_run(project="team/second", custom_run_id="second-0", mode="sync",
        capture_hardware_metrics=False, capture_stdout=False, capture_stderr=False,
        capture_traceback=False, git_ref=False, source_files=[])  # fmt: skip
    theirs["mine"] = 1
    theirs.stop()
    answer = Caller(Path())("convert", "wandb:lab", "neptune:", "--json")
    assert answer.code == 4
    assert statuses(answer) == {"failed": 1, "new": 4}
    (failed,) = (run for run in answer.json["push"]["runs"] if run["status"] == "failed")
    assert "second-0" in failed["run"]
    assert failed["error"]
    (log,) = Path().glob("wandb-to-neptune-*.log")
    (line,) = (line for line in log.read_text().splitlines() if "failed" in line)
    assert "second-0" in line
    assert failed["error"][:20] in line


def test_the_log_tells_of_every_run_and_of_no_key(
    service: WandbService, server: NeptuneServer
) -> None:
    answer = Caller(Path())("convert", "wandb:lab", "neptune:", "-vv")
    assert answer.code == 0, answer.err
    (log,) = Path().glob("*.log")
    assert f"log: {log}" in answer.err
    text = log.read_text()
    for run in ("abc123", "second-0", "second-1", "third-0", "third-1"):
        assert run in text
    written = [path.read_bytes() for path in Path().rglob("*") if path.is_file()]
    for told in (answer.out.encode(), answer.err.encode(), *written):
        assert KEY.encode() not in told
        assert TOKEN.encode() not in told


def test_an_error_that_ends_all_is_in_the_log_and_a_log_may_be_named(
    service: WandbService, server: NeptuneServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    answer = Caller(Path())("convert", "wandb:lab", "neptune:")
    assert answer.code != 0
    (log,) = Path().glob("*.log")
    assert re.search(r"ended with exit code 1 after [\d.]+ s: ", log.read_text())
    log.unlink()
    Caller(Path())("convert", "wandb:lab", "neptune:", "--log-file", "mine.txt")
    assert not list(Path().glob("*.log"))
    assert Path("mine.txt").exists()


def test_without_a_token_nothing_is_pulled_except_by_a_dry_run(
    service: WandbService, server: NeptuneServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NEPTUNE_API_TOKEN")
    runferry = Caller(Path())
    answer = runferry("convert", "wandb:lab/third", "neptune:")
    assert answer.code == 1
    assert "no token for Neptune is set" in answer.err
    assert "export NEPTUNE_API_TOKEN" in answer.err
    assert not Path(".runferry").exists()
    assert runferry("convert", "wandb:lab/third", "neptune:", "--dry-run").code == 0
    assert not server.projects


def test_no_workspace_is_a_clear_error(
    server: NeptuneServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NEPTUNE_PROJECT")
    answer = Caller(Path())("convert", "wandb:", "neptune:")
    assert answer.code == 2
    assert "no Neptune workspace is named" in answer.err
    assert "NEPTUNE_PROJECT" in answer.err
    assert not list(Path().glob("*.log"))


def test_the_queue_of_the_client_takes_the_same(
    service: WandbService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _here(monkeypatch, tmp_path)
    monkeypatch.setenv("RUNFERRY_NEPTUNE_MODE", "offline")
    runferry = Caller(tmp_path)
    answer = runferry("convert", "wandb:", "neptune:", "--json")
    assert answer.code == 0, [run["error"] for run in answer.json["push"]["runs"]]
    assert statuses(answer) == {"new": 5}
    queued = [replayed(queue) for queue in Path(".neptune", "offline").iterdir()]
    by_id = {values["runferry/run_id"]: values for values in queued}
    assert set(by_id) == {"abc123", "second-0", "second-1", "third-0", "third-1"}
    run = by_id["abc123"]
    assert run["sys/name"] == "fluffy-cloud-1"
    assert run["config/lr"] == 0.1
    assert [row[::2] for row in run["train/loss"]] == [(0, 1.0), (10, 0.5), (20, 1 / 3)]
    assert len(run["monitoring/cpu"]) == 700
    assert statuses(runferry("convert", "wandb:", "neptune:", "--json")) == {"unchanged": 5}
    settings.install(None)
