"""Artifacts of two sides: one of the same number and id may be another version all the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.readers.wandb_service_runs import served

from runferry import chunks
from runferry.archive.store import Archive
from runferry.errors import ExitCode
from runferry.losses import Fate
from runferry.model import Tree
from runferry.ports import Location
from runferry.testing.wandb_service import RunContent
from runferry.transfer.artifact_facts import Artifacts, Stated, artifact_differences
from runferry.transfer.pull import pull
from runferry.transfer.push import push
from runferry.transfer.verify import verify_archive

IDENTITY: Stated = ("net", "model", "produced", "v0", "QXJ0aWZhY3Q6MQ==")


def test_what_two_servers_number_alike_is_told_to_be_another_version(tmp_path: Path) -> None:
    archive = Archive.open(tmp_path / "archive", create=True, reserve=0)
    with served(tmp_path / "first") as first:
        first.put_run("lab/vision/run1", RunContent(config={"lr": 0.1}))
        first.put_artifact(
            "lab/vision/net",
            "model",
            {"w.bin": b"w"},
            logged_by="lab/vision/run1",
            created_at="2024-01-01T00:00:00Z",  # services tell times by the second
        )
        pulled = pull(Location("wandb", "lab/vision"), archive, reserve_bytes=0)
        assert not pulled.failures
    there = Location("wandb", "lab/moved")
    with served(tmp_path / "second"):
        assert not push(archive, there).failures
        report = verify_archive(archive, there)
    (run,) = report.runs
    (told,) = (loss for loss in run.measured if loss.code == "artifact-version")
    place = told.where
    assert told.detail == f"it is {place} there", "the two servers did not number it alike"
    assert report.is_clean, run.unexpected
    assert report.exit_code == ExitCode.DONE


def side(created: str | None, sha256: str, **said: Tree) -> Artifacts:
    metadata: dict[str, Tree] = {**said}
    if created is not None:
        metadata["_wandb"] = {"createdAt": created}
    artifact = chunks.Artifact("net", "model", "produced", "v0", metadata=metadata)
    return Artifacts({IDENTITY: artifact}, {IDENTITY: {"w.bin": (None, f"of {created}", sha256)}})


@pytest.mark.parametrize(
    ("copy", "codes"),
    [
        (side("2024-01-01T00:00:00", "a", best=1), []),  # the version itself
        (side("2025-01-01T00:00:00", "a", best=1), ["artifact-version"]),
        (side("2025-01-01T00:00:00", "a", best=2), ["artifact-version", "artifact"]),
        (side("2025-01-01T00:00:00", "b", best=1), ["artifact-version", "artifact-entry"]),
        (side(None, "a", best=1), ["artifact", "artifact-entry"]),  # nothing says it is another
    ],
)
def test_another_version_is_compared_by_what_the_user_said_and_by_its_bytes(
    copy: Artifacts, codes: list[str]
) -> None:
    found = list(artifact_differences(side("2024-01-01T00:00:00", "a", best=1), copy))
    assert [loss.code for loss in found] == codes
    assert all(loss.fate is Fate.RENAMED for loss in found if loss.code == "artifact-version")
