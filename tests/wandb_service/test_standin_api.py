"""The vendor's public client reads all that was put in."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.wandb_service.vendors_client import run_client

from runferry.testing.wandb_service import RunContent, WandbService

ROWS, LIVE = 2500, 300

ASK_RUNS = """
api = wandb.Api()
runs = api.runs("lab/vision", order="+created_at", per_page=7)
def ids(**asked):
    return [run.id for run in api.runs("lab/vision", **asked)]
try:
    api.run("lab/vision/none")
except wandb.errors.CommError as error:
    missing_run = str(error)
try:
    len(api.runs("lab/none"))
except ValueError as error:
    missing_project = str(error)
full = api.run("lab/vision/full")
scanned = list(full.scan_history())
answer(
    viewer=[api.viewer.username, api.default_entity, sorted(api.viewer.teams)],
    projects=[(project.name, project.entity) for project in api.projects("lab")],
    all=[run.id for run in runs], count=len(runs),
    newest_first=ids(order="-created_at")[:2],
    by_config=ids(filters={"config.lr": {"$gt": 0.15}}, order="+config.lr"),
    by_nested=ids(filters={"config.net.value.depth": 3}),
    by_summary=ids(filters={"summary_metrics.loss": {"$lt": 3}}, order="-summary_metrics.loss"),
    by_tag=ids(filters={"tags": "odd", "$or": [{"display_name": "run 1"}, {"state": "crashed"}]}),
    by_name=ids(filters={"displayName": {"$regex": "^run 1"}}, order="+display_name"),
    missing_run=missing_run, missing_project=missing_project,
    facts=[full.name, full.state, full.config, full.summary_metrics, full.tags, full.notes,
           full.group, full.job_type, full.created_at, full.metadata, full.url],
    lines=[full._attrs["historyLineCount"], full.lastHistoryStep],
    keys={key: fact["typeCounts"] for key, fact in full._attrs["historyKeys"]["keys"].items()},
    scanned=len(scanned), steps=[row["_step"] for row in scanned],
    first=scanned[0], last=scanned[-1],
    by_keys=len(list(full.scan_history(keys=["loss"], use_cache=False))),
    some=len(list(full.scan_history(min_step=2100, max_step=2300))),
    sampled=[len(full.history(samples=50, pandas=False)),
             len(full.history(keys=["acc"], samples=20, pandas=False))],
    events=full.history(stream="events", pandas=False),
    system=full.system_metrics,
    files=[(file.name, file.size, file.mimetype) for file in full.files(per_page=2)],
    some_files=[file.name for file in full.files(pattern="media/%")],
    content=full.file("media/odd ü#.txt").download(root=str(home)).read(),
    console=[(line.number, line.level, line.content) for line in full.console_logs(per_page=2)],
    tail=[line.content for line in full.console_logs(last=1)],
    exports=[path.name for path in full.download_history_exports(
        home / "exports", require_complete_history=False).paths],
)
"""


@pytest.fixture(scope="module")
def service() -> Iterator[WandbService]:
    with WandbService() as service:
        yield service
        assert not service.failures


@pytest.fixture(scope="module")
def answers(service: WandbService, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    for number in range(12):
        service.put_run(
            f"lab/vision/run{number}",
            RunContent(
                name=f"run {number}",
                state="crashed" if number == 3 else "finished",
                config={"lr": number / 10 if number < 5 else 0.01, "net": {"depth": number}},
                summary={"loss": number} if number != 1 else {"loss": math.nan},
                tags=["odd"] if number % 2 else [],
                created_at=f"2024-01-01T00:00:{number:02}Z",
            ),
        )
    service.put_run(
        "lab/vision/full",
        RunContent(
            name="all of it",
            config={"lr": 0.5, "list": [1, None], "_wandb": {"t": 1}},
            summary={"loss": 0.25, "img": {"_type": "image-file", "path": "media/a.png"}},
            tags=["a", "b"],
            notes="noted",
            group="g",
            job_type="train",
            created_at="2024-01-02T00:00:00Z",
            events=[{"_timestamp": 5.0, "_runtime": 1, "system.cpu": 2.5}],
            console=["2024-01-02T00:00:00.5 one", "ERROR 2024-01-02T00:00:01 two", "three"],
            files={
                "media/odd ü#.txt": b"content",
                "media/a.png": b"png",
                "wandb-metadata.json": b'{"os": "linux"}',
            },
        ),
        history_of={
            "loss": np.linspace(1, 0.25, ROWS),
            "acc": np.arange(ROWS, dtype=np.float64),
            "_timestamp": np.arange(ROWS) + 0.5,
        },
        live_rows=LIVE,
        parts=3,
    )
    return run_client(service, tmp_path_factory.mktemp("home"), ASK_RUNS)


def test_the_account_and_its_projects_are_told(answers: dict[str, Any]) -> None:
    assert answers["viewer"] == ["grace", "lab", ["grace", "lab"]]
    assert answers["projects"] == [["vision", "lab"]]


def test_runs_come_in_pages_and_in_order(answers: dict[str, Any]) -> None:
    assert answers["all"] == [*(f"run{number}" for number in range(12)), "full"]
    assert answers["count"] == 13
    assert answers["newest_first"] == ["full", "run11"]


def test_runs_are_filtered_by_config_summary_tags_and_names(answers: dict[str, Any]) -> None:
    assert answers["by_config"] == ["run2", "run3", "run4", "full"]
    assert answers["by_nested"] == ["run3"]
    assert answers["by_summary"] == ["run2", "full", "run0"]
    assert sorted(answers["by_tag"]) == ["run1", "run3"]
    assert answers["by_name"] == ["run1", "run10", "run11"]


def test_what_is_not_there_is_missing_as_the_client_knows_it(answers: dict[str, Any]) -> None:
    assert "Could not find run" in answers["missing_run"]
    assert "Could not find project none" in answers["missing_project"]


def test_the_facts_of_a_run_are_those_put_in(
    answers: dict[str, Any], service: WandbService
) -> None:
    assert answers["facts"] == [
        "all of it",
        "finished",
        {"lr": 0.5, "list": [1, None]},
        {"loss": 0.25, "img": {"_type": "image-file", "path": "media/a.png"}},
        ["a", "b"],
        "noted",
        "g",
        "train",
        "2024-01-02T00:00:00Z",
        {"os": "linux"},
        f"{service.url}/lab/vision/runs/full",
    ]
    assert answers["lines"] == [ROWS, ROWS - 1]
    number = [{"type": "number", "count": ROWS}]
    assert answers["keys"] == dict.fromkeys(("_step", "loss", "acc", "_timestamp"), number)


def test_a_scan_joins_exports_and_live_rows_without_a_row_twice(answers: dict[str, Any]) -> None:
    assert answers["scanned"] == ROWS
    assert answers["steps"] == list(range(ROWS))
    assert answers["first"] == {"_step": 0, "loss": 1, "acc": 0, "_timestamp": 0.5}
    assert answers["last"]["acc"] == ROWS - 1
    assert answers["by_keys"] == ROWS
    assert answers["some"] == 200
    assert answers["sampled"] == [50, 20]
    assert len(answers["exports"]) == 3


def test_system_metrics_files_and_console_are_read(answers: dict[str, Any]) -> None:
    assert answers["events"] == [{"_timestamp": 5.0, "_runtime": 1, "system.cpu": 2.5}]
    assert answers["system"] == {"system.cpu": 2.5}
    assert [name for name, _, _ in answers["files"]] == [
        "media/a.png",
        "media/odd ü#.txt",
        "wandb-metadata.json",
    ]
    assert answers["files"][0] == ["media/a.png", 3, "image/png"]
    assert answers["some_files"] == ["media/a.png", "media/odd ü#.txt"]
    assert answers["content"] == "content"
    assert answers["console"] == [[0, "info", "one"], [1, "error", "two"], [2, "info", "three"]]
    assert answers["tail"] == ["three"]


def test_a_wrong_key_is_refused_as_the_client_knows_it(
    service: WandbService, tmp_path: Path
) -> None:
    found = run_client(
        service,
        tmp_path,
        """
try:
    wandb.Api(api_key="0" * 40)
except Exception as error:
    answer(kind=type(error).__name__, text=str(error))
""",
    )
    assert found["kind"] == "AuthenticationError"
    assert "not logged in" in found["text"]
