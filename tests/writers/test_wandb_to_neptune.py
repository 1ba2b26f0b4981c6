"""`runferry convert wandb: neptune:`: the whole road, from a service to a server and to a queue."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.cli.calling import Answer, Caller
from wandb_neptune_road import BEGAN, statuses, surrounded
from wandb_neptune_road import service as service  # noqa: PLC0414  a fixture

from runferry import settings
from runferry.testing.neptune_backend import NeptuneServer
from runferry.testing.wandb_service import WandbService


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
def moved(service: WandbService, tmp_path_factory: pytest.TempPathFactory) -> Moved:
    folder = tmp_path_factory.mktemp("moved")
    with pytest.MonkeyPatch.context() as monkeypatch:
        server = NeptuneServer(folder / "server")
        server.install(monkeypatch.setattr)
        surrounded(monkeypatch, folder)
        answer = Caller(folder)("convert", "wandb:", "neptune:", "--workers", "3", "--json")
    settings.install(None)
    return Moved(server, folder, service.url, answer)


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
