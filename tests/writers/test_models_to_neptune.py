"""`runferry convert neptune-models: neptune:`: a server's models and versions, as runs of it."""

from __future__ import annotations

import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

pytest.importorskip("neptune", reason="neptune is not installed")

import neptune
from neptune.types import Boolean, Datetime, Float, Integer
from neptune_models import BEGAN, BEGUN, log_models, migrated, runs_of
from neptune_models import server as server  # noqa: PLC0414  a fixture
from neptune_shown import replayed
from tests.cli.calling import Caller, environment
from tests.cli.terminals import conversation

from runferry import load_wandb_database
from runferry.testing.neptune_backend import NeptuneServer

SCRIPT = """
import sys
from pathlib import Path
from runferry.testing.neptune_backend import NeptuneServer
from neptune_models import log_models
server = NeptuneServer(Path("server"), ["team/vision"])
server.install()
log_models("team/vision")
from runferry.cli import main
main()
print("runs:", sorted(server.runs), file=sys.stderr)
"""

READ_ONLY_SYS = frozenset(
    {
        "creation_time", "id", "modification_time", "monitoring_time", "owner", "ping_time",
        "running_time", "size", "trashed", "stage", "model_id",
    }
)  # fmt: skip
"""Of namespace `sys`: what only Neptune itself sets."""


def test_models_and_versions_become_runs_of_their_own_project(server: NeptuneServer) -> None:
    answer = migrated("neptune-models:", "neptune:", "--workers", "2")
    assert answer.json["push"]["counts"] == {"new": 3}
    assert answer.json["verify"]["clean"]
    found = runs_of(server)
    assert set(found) == {"PRO-MOD", "PRO-MOD-1", "PRO-MOD-2"}
    model, version = found["PRO-MOD"], found["PRO-MOD-2"]
    assert model["sys/tags"] == {"good", "model"}
    assert version["sys/tags"] == {"model_version"}
    assert {*model["sys/group_tags"], *version["sys/group_tags"]} == {"PRO-MOD"}
    assert (model["sys/name"], model["sys/description"]) == ("net", "words")


def test_of_sys_what_cannot_be_set_is_below_old_sys(server: NeptuneServer) -> None:
    made = server.made["team/vision", "PRO-MOD-1"]
    times = ("creation_time", "modification_time", "ping_time")
    counted = {
        "monitoring_time": Integer(7),
        "running_time": Float(61.5),
        "trashed": Boolean(False),
    }
    values = counted | {name: Datetime(BEGUN) for name in times}
    for name, value in values.items():  # of these the vendor's in-memory backend has few
        server.containers[made.id, made.type].set(["sys", name], value)
    before = server.containers[made.id, made.type].get_structure()["sys"]
    migrated("neptune-models:", "neptune:")
    version = runs_of(server)["PRO-MOD-1"]
    for name in READ_ONLY_SYS:
        assert version[f"old_sys/{name}"] == before[name].value, name
    assert version["old_sys/model_id"] == "PRO-MOD"
    assert "old_sys/state" not in version


def test_values_and_series_keep_steps_and_parts_of_seconds(server: NeptuneServer) -> None:
    migrated("neptune-models:", "neptune:")
    version = runs_of(server)["PRO-MOD-2"]
    assert version["accuracy"] == 0.5
    assert version["words"] == {"x", "y"}
    assert version["val/loss"] == [(step + 0.5, BEGAN + step, step / 4) for step in range(3)]
    assert [(row[1], row[2]) for row in version["notes"]] == [(BEGAN, "a line")]


def test_versions_are_numbered_within_their_project(server: NeptuneServer) -> None:
    log_models("team/sound")
    versions = sorted(key for key in server.made if key[1].startswith("PRO-MOD-"))
    projects = ("team/sound", "team/vision")
    assert versions == [(name, f"PRO-MOD-{n}") for name in projects for n in (1, 2)]


def test_the_stage_becomes_a_tag_on_request(server: NeptuneServer) -> None:
    """Of runs that are there already with `--restart` only, which is said."""
    migrated("neptune-models:", "neptune:")
    answer = migrated("neptune-models:", "neptune:", "--stage-as-tag")
    (note,) = answer.json["notes"]
    assert "3 runs there already, left as sent before; --restart" in note
    assert runs_of(server)["PRO-MOD-1"]["sys/tags"] == {"model_version"}
    answer = migrated("neptune-models:", "neptune:", "--stage-as-tag", "--restart")
    assert not [note for note in answer.json["notes"] if "--restart" in note]
    version = runs_of(server)["PRO-MOD-1"]
    assert version["sys/tags"] == {"model_version", "none"}
    assert "old_sys/stage" not in version


def test_the_report_says_that_relative_time_begins_before_the_run(server: NeptuneServer) -> None:
    answer = Caller(Path())("convert", "neptune-models:", "neptune:")
    assert answer.code == 0, answer.err
    assert "note: Neptune sets the creation time" in answer.out
    assert "old_sys/creation_time" in answer.out


def test_a_rerun_appends_nothing(server: NeptuneServer) -> None:
    migrated("neptune-models:", "neptune:")
    before = runs_of(server)
    again = migrated("neptune-models:", "neptune:")
    assert again.json["push"]["counts"] == {"unchanged": 3}
    elsewhere = migrated("neptune-models:", "neptune:", "--archive", "another")
    assert elsewhere.json["push"]["counts"] == {"unchanged": 3}
    assert runs_of(server) == before


def test_filters_choose_models_and_versions(server: NeptuneServer) -> None:
    migrated("neptune-models:", "neptune:", "--run", "PRO-MOD-*")
    assert set(runs_of(server)) == {"PRO-MOD-1", "PRO-MOD-2"}
    migrated("neptune-models:", "neptune:", "--tag", "good")
    assert "PRO-MOD" in runs_of(server)


@pytest.mark.parametrize("source", ["neptune-models:team", "neptune-models:team/vision,sound"])
def test_several_or_all_projects_of_a_workspace(server: NeptuneServer, source: str) -> None:
    log_models("team/sound")
    migrated(source, "neptune:")
    for project in ("team/vision", "team/sound"):
        assert len(runs_of(server, project)) == 3, project


def test_a_failed_pull_of_what_was_asked_for_is_told_as_that(
    server: NeptuneServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*_: object, **__: object) -> None:
        raise ConnectionError("the line is cut")

    monkeypatch.setattr(neptune.ModelVersion, "fetch", lost)
    answer = Caller(Path())("convert", "neptune-models:", "neptune:", "--run", "PRO-MOD-1")
    assert answer.code != 0
    assert "the line is cut" in answer.err
    assert "no run is selected" not in answer.err
    assert "note: " not in answer.out, "nothing was moved"


def test_an_unknown_project_is_a_clear_error(server: NeptuneServer) -> None:
    answer = Caller(Path())("convert", "neptune-models:team/unknown", "neptune:")
    assert answer.code != 0
    assert "team/unknown" in answer.err
    (log,) = Path().glob("neptune-models-to-neptune-*.log")
    assert "team/unknown" in log.read_text()


def test_no_project_is_a_clear_error(
    server: NeptuneServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NEPTUNE_PROJECT")
    answer = Caller(Path())("convert", "neptune-models:", "neptune:")
    assert answer.code == 2
    assert "NEPTUNE_PROJECT" in answer.err


def test_the_queue_of_the_client_takes_models_too(
    server: NeptuneServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNFERRY_NEPTUNE_MODE", "offline")
    migrated("neptune-models:", "neptune:")
    queued = [replayed(queue) for queue in Path("queue", "offline").iterdir()]
    assert {run["runferry/run_id"] for run in queued} == {"PRO-MOD", "PRO-MOD-1", "PRO-MOD-2"}
    assert "queued" not in migrated("neptune-models:", "neptune:").err
    shutil.rmtree(Path("queue", "offline"))  # as `neptune sync` does
    assert "3 runs were queued before" in migrated("neptune-models:", "neptune:").err


def test_elsewhere_they_become_runs_of_their_job_type(
    server: NeptuneServer, database: Path
) -> None:
    migrated("neptune-models:", "wandb:./runs")
    databases = [load_wandb_database(path) for path in Path("runs").rglob("*.wandb")]
    runs = [record for database in databases for record in database.run]
    assert {run["run_id"]: run["job_type"] for run in runs} == {
        "PRO-MOD": "model", "PRO-MOD-1": "model_version", "PRO-MOD-2": "model_version"
    }  # fmt: skip
    assert {run["run_group"] for run in runs} == {"PRO-MOD"}
    migrated("neptune-models:", f"mlflow:sqlite:///{database}")
    with closing(sqlite3.connect(database)) as tracked:
        kinds = tracked.execute("SELECT value FROM tags WHERE key = 'runferry.kind'").fetchall()
    assert sorted(kinds) == [("model",), ("model_version",), ("model_version",)]


# --- on a terminal

PROJECT = "Neptune project, WORKSPACE/PROJECT (blank: NEPTUNE_PROJECT): "
WORKERS = "Number of workers (blank: "


def asked(folder: Path, answers: list[tuple[str, str]], *args: str) -> tuple[int, str]:
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT, "convert", *args]
    return conversation(
        command,
        answers,
        folder,
        environment(
            NEPTUNE_DATA_DIRECTORY=str(folder / "queue"), NEPTUNE_PROJECT="team/vision",
            NEPTUNE_API_TOKEN="any",
            RUNFERRY_NEPTUNE_MODE="sync", HOME=str(folder), XDG_CONFIG_HOME=str(folder),
        ),
    )  # fmt: skip


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are of POSIX")
@pytest.mark.parametrize("project", ["team/vision", ""])
def test_project_and_workers_are_asked_for_in_this_order(tmp_path: Path, project: str) -> None:
    code, shown = asked(
        tmp_path, [(PROJECT, project), (WORKERS, "3")], "neptune-models:", "neptune:"
    )
    assert code == 0, shown
    assert "3 new" in shown
    assert "note: Neptune sets the creation time" in shown


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are of POSIX")
def test_an_unknown_project_ends_it(tmp_path: Path) -> None:
    code, shown = asked(
        tmp_path, [(PROJECT, "team/nothing"), (WORKERS, "")], "neptune-models:", "neptune:"
    )
    assert code not in (0, None), shown
    assert "team/nothing" in shown
