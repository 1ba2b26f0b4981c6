"""What the vendor's client uploads arrives completely, and reads back as it was logged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.contract.wandb_sdk import make_wandb_folder
from tests.wandb_service.vendors_client import run_client, sync

from runferry.testing.wandb_service import Trouble, WandbService

PATH = "lab/contract/everything"

READ_BACK = """
run = wandb.Api().run("lab/contract/everything")
artifact = next(a for a in run.logged_artifacts() if a.type == "model")
answer(
    facts=[run.name, run.state, run.tags, run.notes, run.group, run.job_type],
    config=run.config, summary=run.summary_metrics,
    rows=list(run.scan_history()), console=[line.content for line in run.console_logs()],
    files=sorted(file.name for file in run.files()),
    artifact=[artifact.name, artifact.metadata, artifact.aliases],
    weights=Path(artifact.download(root=str(home / "a")), "w.bin").read_text(),
)
"""

ONLINE = """
run = wandb.init(entity="lab", project="live", id="online", config={"a": 1})
for step in range(20):
    run.log({"x": step, "nan": float("nan")})
run.log({"image": wandb.Image(np.zeros((2, 2, 3), dtype="uint8"))})
used = wandb.Artifact("data", type="dataset")
with used.new_file("d.txt") as file:
    file.write("data")
run.log_artifact(used).wait()
run.use_artifact("data:latest")
run.finish(exit_code=1)
again = wandb.init(entity="lab", project="live", id="online", resume="must")
again.log({"x": 99})
again.finish()
api = wandb.Api()
answer(
    state=api.run("lab/live/online").state,
    xs=[row["x"] for row in api.run("lab/live/online").scan_history(keys=["x"])],
    used=[a.name for a in api.run("lab/live/online").used_artifacts()],
)
"""


@dataclass(frozen=True)
class Synced:
    service: WandbService
    home: Path
    folder: Path


@pytest.fixture(scope="module")
def synced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Synced]:
    home = tmp_path_factory.mktemp("home")
    folder = next(make_wandb_folder(home).glob("offline-run-*"))
    with WandbService() as service:
        sync(service, home, folder)
        yield Synced(service, home, folder)
        assert not service.failures


@pytest.fixture(scope="module")
def read_back(synced: Synced) -> dict[str, Any]:
    return run_client(synced.service, synced.home, READ_BACK)


def test_every_row_that_was_logged_arrives(read_back: dict[str, Any]) -> None:
    rows = read_back["rows"]
    assert [row["_step"] for row in rows] == [*range(12), 40, 41]
    assert [row.get("loss") for row in rows[:12]] == [1 / (step + 1) for step in range(12)]
    assert [row["val/loss"] for row in rows[:4]] == ["NaN", "Infinity", "-Infinity", 0.5]
    assert rows[3]["big"] == 2**60 + 3
    assert rows[5]["a"] == {"b": 5 / 8}
    assert rows[2]["list"] == [2, None]
    assert rows[13]["hist"]["values"] == [1, 2, 3]
    assert all("_timestamp" in row and "_runtime" in row for row in rows)


def test_the_facts_config_and_summary_arrive(read_back: dict[str, Any]) -> None:
    assert read_back["facts"] == [
        "one of everything",
        "finished",
        ["a", "b"],
        "notes",
        "g",
        "train",
    ]
    config = {"lr": 0.1, "nested": {"deep": [1, {"x": None}]}, "nan": None, "empty": {}}
    assert {name: read_back["config"].get(name, {}) for name in config} == config
    assert read_back["summary"]["best"] == {"epoch": 3}
    assert read_back["summary"]["_step"] == 41


def test_console_files_media_and_artifacts_arrive(read_back: dict[str, Any]) -> None:
    assert read_back["console"] == ["hello from the run", "bye"]
    kinds = {name.split("/")[1] for name in read_back["files"] if name.startswith("media/")}
    assert kinds == {"html", "images", "table"}
    plain = {"config.yaml", "output.log", "requirements.txt", "wandb-metadata.json"}
    assert plain <= set(read_back["files"])
    assert read_back["artifact"] == ["weights:v0", {"acc": 0.5}, ["latest"]]
    assert read_back["weights"] == "weights"


def test_an_upload_repeated_changes_nothing(synced: Synced) -> None:
    service = synced.service
    before = service.run(PATH)
    rows = _rows(service)
    _forget_upload(synced)
    sync(service, synced.home, synced.folder)
    after = service.run(PATH)
    assert _rows(service) == rows
    assert json.loads(after["history_keys"]) == json.loads(before["history_keys"])
    versions = "SELECT COUNT(*) FROM artifacts WHERE state = 'COMMITTED' AND run = ?"
    assert service.store.value(versions, before["id"]) == 2  # the model, and the table's


def test_an_upload_through_faults_arrives_whole(synced: Synced) -> None:
    with WandbService(exports_when_finished=True) as service:
        for place in ("graphql:UpsertBucket", "filestream", "storage:PUT"):
            service.faults.add(Trouble("status", place, status=503))
            service.faults.add(Trouble("status", place, status=429, retry_after=0.1))
        service.faults.add(Trouble("reset", "graphql:CreateRunFiles"))
        _forget_upload(synced)
        sync(service, synced.home, synced.folder)
        (part,) = service.store.rows("SELECT * FROM exports")
        assert (part["lines"], part["first_step"], part["last_step"]) == (14, 0, 41)
        assert service.requests.by_status[503] == 3
        assert service.requests.by_status[429] == 3
        assert service.store.value("SELECT COUNT(*) FROM files WHERE is_uploaded") >= 9


def test_the_id_of_a_deleted_run_is_not_had_again(synced: Synced) -> None:
    with WandbService() as service:
        service.put_run(PATH)
        service.delete_run(PATH)
        _forget_upload(synced)
        with pytest.raises(AssertionError, match="previously created and deleted"):
            sync(service, synced.home, synced.folder)
        assert service.requests.by_status[410] == 1


def _rows(service: WandbService) -> list[dict[str, Any]]:
    run = service.run(PATH)
    lines = service.store.rows("SELECT content FROM history WHERE run = ? ORDER BY line", run["id"])
    return [json.loads(line["content"]) for line in lines]


def _forget_upload(synced: Synced) -> None:
    for mark in synced.folder.glob("*.wandb.sync*"):
        mark.unlink()


def test_a_run_logged_online_arrives_and_goes_on(tmp_path: Path) -> None:
    with WandbService() as service:
        found = run_client(service, tmp_path, ONLINE)
        assert not service.failures
    assert found == {"state": "finished", "xs": [*range(20), 99], "used": ["data:v0"]}
