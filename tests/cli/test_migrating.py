"""What `runferry convert wandb: neptune:` asks on a terminal, and that it asks nowhere else."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.calling import command, environment
from tests.readers.wandb_service_runs import columns, served

from runferry.cli.logs import kept_in
from runferry.testing.wandb_service import WandbService

pytest.importorskip("pty", reason="pseudo-terminals are of POSIX")
pytest.importorskip("neptune", reason="neptune is not installed")

from tests.cli.terminals import conversation

ENTITY = "W&B entity (blank: your default one): "
WORKSPACE = "Neptune workspace (blank: that of NEPTUNE_PROJECT): "
WORKERS = "Number of workers (blank: "
PROJECTS = "Projects to export, separated by commas (blank: all): "
QUESTIONS = (ENTITY, WORKSPACE, WORKERS, PROJECTS)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WandbService]:
    with served(tmp_path_factory.mktemp("account")) as service:
        for project in range(3):
            for run in range(2):
                service.put_run(f"lab/p_{project}/r{project}-{run}", history_of=columns(5))
        yield service


@pytest.fixture
def environ(service: WandbService, tmp_path: Path) -> dict[str, str]:
    del service  # its variables are in the environment
    variables = environment(
        RUNFERRY_NEPTUNE_MODE="offline", NEPTUNE_PROJECT="team/any", XDG_CONFIG_HOME=str(tmp_path)
    )
    return {name: text for name, text in variables.items() if name != "NEPTUNE_DATA_DIRECTORY"}


def convert(*args: str) -> list[str]:
    return command("convert", *args)


def queued(folder: Path) -> dict[str, str]:
    """The project that each run is queued for."""
    return {
        (told := json.loads(path.read_bytes()))["custom_run_id"]: told["project"]
        for path in folder.glob(".neptune/**/queued.json")
    }


def test_all_is_asked_for_in_order_and_an_unknown_project_is_left_out(
    environ: dict[str, str], tmp_path: Path
) -> None:
    answers = [(ENTITY, "lab"), (WORKSPACE, "crew"), (WORKERS, "2"), (PROJECTS, "p_0, nope,p_2")]
    code, shown = conversation(convert("wandb:", "neptune:"), answers, tmp_path, environ)
    assert code == 0, shown
    assert "Projects: p_0, p_1, p_2" in shown
    assert "warning: there is no project nope: left out" in shown
    assert queued(tmp_path) == {
        "r0-0": "crew/p-0", "r0-1": "crew/p-0", "r2-0": "crew/p-2", "r2-1": "crew/p-2"
    }  # fmt: skip
    (log,) = tmp_path.glob("wandb-to-neptune-*.log")
    assert log.name in shown


def test_blank_answers_mean_the_defaults(environ: dict[str, str], tmp_path: Path) -> None:
    answers = [(question, "") for question in QUESTIONS]
    code, shown = conversation(convert("wandb:", "neptune:"), answers, tmp_path, environ)
    assert code == 0, shown
    assert set(queued(tmp_path).values()) == {"team/p-0", "team/p-1", "team/p-2"}
    assert len(queued(tmp_path)) == 6
    assert "projects" in shown, "a bar of its own"


def test_what_was_given_is_not_asked_for(environ: dict[str, str], tmp_path: Path) -> None:
    args = convert("wandb:lab", "neptune:crew", "--workers", "2", "--project", "p_1")
    code, shown = conversation(args, [], tmp_path, environ)
    assert code == 0, shown
    assert not [question for question in QUESTIONS if question in shown]
    assert set(queued(tmp_path)) == {"r1-0", "r1-1"}


def test_a_number_that_is_none_is_asked_for_again(environ: dict[str, str], tmp_path: Path) -> None:
    answers = [(WORKERS, "many"), (WORKERS, "1")]
    code, shown = conversation(convert("wandb:lab/p_1", "neptune:crew"), answers, tmp_path, environ)
    assert code == 0, shown
    assert "many: a whole number is wanted" in shown
    assert len(queued(tmp_path)) == 2


def test_no_known_project_is_an_error(environ: dict[str, str], tmp_path: Path) -> None:
    args = convert("wandb:lab", "neptune:crew", "--workers", "1")
    code, shown = conversation(args, [(PROJECTS, "nope")], tmp_path, environ)
    assert code == 2, shown
    assert "none of these projects is there" in shown


def test_no_workspace_is_a_clear_error(environ: dict[str, str], tmp_path: Path) -> None:
    del environ["NEPTUNE_PROJECT"]
    answers = [(ENTITY, ""), (WORKSPACE, "")]
    code, shown = conversation(convert("wandb:", "neptune:"), answers, tmp_path, environ)
    assert code == 2, shown
    assert "no Neptune workspace is named" in shown
    assert not list(tmp_path.glob("*.log"))


def test_models_of_no_project_are_an_error_that_leaves_no_log(
    environ: dict[str, str], tmp_path: Path
) -> None:
    del environ["NEPTUNE_PROJECT"]
    done = subprocess.run(
        convert("neptune-models:", "neptune:"), cwd=tmp_path, env=environ, text=True, timeout=60,
        capture_output=True, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "no project is named" in done.stderr
    assert "hint: neptune:WORKSPACE/PROJECT" in done.stderr
    assert not list(tmp_path.glob("*.log"))


def test_an_entity_is_one_also_where_a_folder_has_its_name(
    environ: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "lab").mkdir()
    answers = [(ENTITY, "lab"), (WORKSPACE, "crew"), (WORKERS, ""), (PROJECTS, "p_0")]
    code, shown = conversation(convert("wandb:", "neptune:"), answers, tmp_path, environ)
    assert code == 0, shown
    assert len(queued(tmp_path)) == 2


def test_answers_that_end_early_are_an_error(environ: dict[str, str], tmp_path: Path) -> None:
    code, shown = conversation(
        convert("wandb:", "neptune:"), [(ENTITY, "lab"), (WORKSPACE, "\x04")], tmp_path, environ
    )
    assert code == 2, shown


@pytest.mark.parametrize("stdin", ["closed", "text"])
def test_without_a_terminal_nothing_is_asked_and_defaults_hold(
    environ: dict[str, str], tmp_path: Path, stdin: str
) -> None:
    done = subprocess.run(
        convert("wandb:", "neptune:"), cwd=tmp_path, env=environ, text=True, timeout=60,
        input="nobody\nnobody\n" if stdin == "text" else None, capture_output=True,
        stdin=None if stdin == "text" else subprocess.DEVNULL, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not [question for question in QUESTIONS if question in done.stdout + done.stderr]
    assert len(queued(tmp_path)) == 6
    assert os.sep not in next(tmp_path.glob("wandb-to-neptune-*.log")).name


@pytest.mark.parametrize(
    ("fault", "has_trace"), [(ZeroDivisionError("of us"), True), (KeyboardInterrupt(), False)]
)
def test_the_log_has_whatever_ended_the_work(
    tmp_path: Path, fault: BaseException, has_trace: bool
) -> None:
    log = tmp_path / "a.log"
    with pytest.raises(type(fault)), kept_in(log, 0):
        raise fault
    assert f"ended by {type(fault).__name__}" in log.read_text()
    assert ("Traceback" in log.read_text()) is has_trace
