"""`runferry convert wandb: neptune:` as it is asked for: what to include, again, and what fails."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("neptune", reason="neptune is not installed")

import neptune
from neptune_shown import replayed
from tests.cli.calling import Caller
from tests.readers.wandb_service_runs import KEY, columns, served
from wandb_neptune_road import TOKEN, statuses, surrounded
from wandb_neptune_road import server as server  # noqa: PLC0414  a fixture
from wandb_neptune_road import service as service  # noqa: PLC0414  a fixture

from runferry import settings
from runferry.testing.neptune_backend import NeptuneServer
from runferry.testing.wandb_service import WandbService


@pytest.fixture
def service_with_artifacts(tmp_path: Path) -> Iterator[WandbService]:
    with served(tmp_path / "account") as service:
        service.put_run("lab/arts/maker", history_of=columns(5))
        for name, kind in (("net", "model"), ("data", "dataset")):
            files = {"a.bin": name.encode()}
            service.put_artifact(f"lab/arts/{name}", kind, files, logged_by="lab/arts/maker")
        yield service


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
    surrounded(monkeypatch, tmp_path)
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
