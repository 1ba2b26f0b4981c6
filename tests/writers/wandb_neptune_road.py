"""A service of W&B's with everything, a server of Neptune's, and the road between them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("neptune", reason="neptune is not installed")

import numpy as np
from tests.cli.calling import Answer
from tests.readers.wandb_service_runs import columns, served

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


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WandbService]:
    with served(tmp_path_factory.mktemp("account")) as service:
        fill(service)
        yield service
        assert not service.failures


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[NeptuneServer]:
    server = NeptuneServer(tmp_path / "server")
    server.install(monkeypatch.setattr)
    surrounded(monkeypatch, tmp_path)
    yield server
    settings.install(None)


def surrounded(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("NEPTUNE_PROJECT", "team/any")
    monkeypatch.setenv("NEPTUNE_API_TOKEN", TOKEN)
    monkeypatch.setenv("RUNFERRY_NEPTUNE_MODE", "sync")


def statuses(answer: Answer) -> dict[str, int]:
    assert answer.json["push"]["aborted"] is None
    counts: dict[str, int] = answer.json["push"]["counts"]
    return counts
