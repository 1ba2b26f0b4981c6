"""A run of W&B with something for every row of the mapping."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from runferry import chunks
from runferry.model import Address, ArtifactEntry, Blob, MediaItem, Run, RunKey
from runferry.testing.recording import Histogram, Recording, Sample
from runferry.testing.samples import SECOND_NS, START_NS

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c6360000002000001e221bc330000000049454e44ae426082"
)
STARTED = datetime.fromtimestamp(START_NS // SECOND_NS, UTC)


def wandb_run(run_id: str = "abc123", project: str = "example_project") -> Sample:
    """Everything that the seed's table names, and everything that it leaves out."""
    run = Recording(
        Run(
            RunKey("wandb", project, run_id),
            name="fluffy-cloud-1",
            project=project,
            entity="team",
            group="sweep-7",
            job_type="train",
            tags=("baseline", "v2"),
            notes="# notes",
            user="ana",
            host="box",
            source_url=f"https://wandb.ai/team/{project}/runs/{run_id}",
            created_ns=START_NS,
            started_ns=START_NS,
            ended_ns=START_NS + 60 * SECOND_NS,
            status="finished",
            state="finished",
            exit_code=0,
            complete=True,
        )
    )
    run.attributes(
        "config",
        {"lr": 0.1, "epochs": 3, "layers": [1, 2], "nothing": None, "amp": True, "huge": 2**80},
    )
    run.attributes("summary", {"acc": 0.9, "_runtime": 60, "best/name": "x"})
    image = {"_type": "image-file", "path": "media/i.png", "format": "png", "size": len(PNG)}
    run.attributes("summary", {"image": image, ("eval", "table"): {"_type": "table-file"}})
    run.attributes("environment", {"python": "3.11", "_wandb": {}, "_internal": 1})
    for step in range(3):
        at = START_NS + step * SECOND_NS
        row = {"train/loss": 1 / (step + 1), "_runtime": float(step), "note": f"step {step}"}
        run.log(row, step=step * 10, time_ns=at)
        run.log({"system.cpu": 50.0 + step}, time_ns=at, stream="system")
    run.log({"weights": Histogram((0.0, 1.0), (3,))}, step=30, time_ns=START_NS)
    picture = MediaItem("", Address(0), "image", Blob.from_bytes(PNG, "image/png"))
    run.log({"image": picture}, step=30, time_ns=START_NS)
    run.console([("stdout", "epoch 1\n", START_NS), ("stdout", "epoch 2\n", START_NS + SECOND_NS)])
    for path, role in (
        ("output.log", "console"),
        ("code/train.py", "source"),
        ("requirements.txt", "requirements"),
        ("model.ckpt", "checkpoint"),
        ("my-checkpoint/weights.bin", "other"),
        ("notes/readme.md", "other"),
        ("artifact/1/x", "other"),
        ("config.yaml", "other"),
        ("media/images/i.png", "other"),
        ("wandb-summary.json", "other"),
    ):
        run.put(chunks.File(path, role, Blob.from_bytes(path.encode())))  # type: ignore[arg-type]
    for name, kind in (("net", "model"), ("set", "dataset")):
        entry = ArtifactEntry("a.bin", Blob.from_bytes(name.encode()))
        run.put(chunks.Artifact(name, kind, "produced", version="v0", entries=(entry,)))
    return run.sample()


def model(kind: str, run_id: str) -> Sample:
    """A model of Neptune, or a version of one, as a reader gives it."""
    is_version = kind == "model_version"
    run = Recording(
        Run(
            RunKey("neptune", "team/zoo", run_id), name="net", project="zoo", entity="team",
            kind=kind, group="ZOO-NET", tags=("good",), notes="a model",  # type: ignore[arg-type]
            created_ns=START_NS, complete=True,
        )
    )  # fmt: skip
    sys: dict[tuple[str, ...], Any] = {
        ("sys", "id"): run_id, ("sys", "state"): "Inactive", ("sys", "owner"): "ana",
        ("sys", "name"): "net", ("sys", "description"): "a model", ("sys", "tags"): ["good"],
        ("sys", "size"): 3.5, ("sys", "creation_time"): datetime(2023, 1, 1, tzinfo=UTC),
        ("sys", "trashed"): False,
    }  # fmt: skip
    if is_version:
        sys |= {("sys", "stage"): "production", ("sys", "model_id"): "ZOO-NET"}
    run.attributes("other", sys)
    run.attributes("config", {("params", "lr"): 0.1, ("labels",): ["cat", "dog"]})
    run.log({("val", "acc"): 0.5}, step=1, step_frac=500_000, time_ns=START_NS + SECOND_NS // 2)
    return run.sample()
