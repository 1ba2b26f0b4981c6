"""What W&B's own tools see of the run folders that we author: its readers are the judges."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.transfer.roads import archive_of

from runferry import _native, chunks
from runferry.model import Address, ArtifactEntry, Blob, MediaItem, MediaType
from runferry.ports import Location
from runferry.tables import POINTS, conform
from runferry.testing.recording import Recording, Sample
from runferry.testing.samples import START_NS, all_samples, as_run, plain
from runferry.testing.samples.basics import header
from runferry.transfer.push import push

SECOND = 10**9


def authored(folder: Path, *samples: Sample) -> dict[str, Path]:
    """The logs of runs that were pushed into run folders, by run id."""
    report = push(archive_of(samples, folder), Location("wandb", str(folder / "wandb")))
    assert not report.failures, report.failures
    logs = (folder / "wandb").glob("offline-run-*/run-*.wandb")
    found = {path.name[4:-6]: path for path in logs}
    assert len(found) == len(samples)
    return found


def inspected(log: Path) -> list[dict[str, Any]]:
    """The records as `wandb leet inspect` reads them, without a complaint."""
    command = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(log)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


def rows(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The history rows."""
    return [record["history"]["item"] for record in records if record["type"] == "history"]


def one(records: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    """The only record of a type."""
    (found,) = (record[kind] for record in records if record["type"] == kind)
    return found


def test_the_vendor_reads_every_sample_to_its_end(tmp_path: Path) -> None:
    logs = authored(tmp_path, *all_samples(keys=50))
    for log in list(logs.values())[::3]:  # a process each
        records = inspected(log)
        assert [record["num"] for record in records] == list(range(1, len(records) + 1))
        assert records[-1]["type"] == "footer"


def test_all_values_of_a_step_are_one_row_whatever_they_are(tmp_path: Path) -> None:
    run = Recording(header("merged"))
    run.log({"train/loss": 0.5}, step=1, time_ns=START_NS + SECOND)
    run.log({"val/loss": 0.75}, step=1, time_ns=START_NS + 2 * SECOND)
    run.log({"note": "hello"}, step=1, time_ns=START_NS + 2 * SECOND)
    run.log({"train/loss": 0.25}, step=0, time_ns=START_NS)
    (first, second) = rows(inspected(authored(tmp_path, run.sample())["merged"]))
    assert first == {"train/loss": 0.25, "_step": 0, "_timestamp": 1_700_000_000, "_runtime": 0}
    assert second == {
        "train/loss": 0.5,
        "val/loss": 0.75,
        "note": "hello",
        "_step": 1,
        "_timestamp": 1_700_000_002,
        "_runtime": 2,
    }


def test_a_series_that_comes_twice_in_a_step_makes_a_second_row(tmp_path: Path) -> None:
    run = Recording(header("twice"))
    for value in (1.0, 2.0):
        run.log({"loss": value}, step=3, time_ns=START_NS)
    found = rows(inspected(authored(tmp_path, run.sample())["twice"]))
    assert [(row["_step"], row["loss"]) for row in found] == [(3, 1), (3, 2)]


@pytest.mark.parametrize("step", [3, None])
def test_rows_are_written_while_others_of_their_step_still_come(
    tmp_path: Path, step: int | None
) -> None:
    run = Recording(header("constant"))
    for value in range(6):
        run.log({"loss": float(value)}, step=step)
        run.flush()
    log = _native.WandbLog(tmp_path / "run.wandb", started_ns=None)
    log.declare("loss", ["loss"], False)
    batches = [chunk.batch for chunk in run.sample().chunks if isinstance(chunk, chunks.Points)]
    for number, batch in enumerate(batches):
        log.points(conform(batch, POINTS))
        assert log.counts[0] == max(0, number - 2)  # one waits, one may go on
    log.flush()
    assert log.counts[0] == len(batches) == 6


def test_a_run_whose_id_ends_as_anothers_keeps_its_own(tmp_path: Path) -> None:
    samples = [as_run(plain(), name) for name in ("a-tail", "tail")]
    assert set(authored(tmp_path, *samples)) == {"a-tail", "tail"}


def test_rows_without_a_step_are_shown_behind_the_last_one(tmp_path: Path) -> None:
    run = Recording(header("stepless"))
    run.log({"loss": 1.0}, step=7, time_ns=START_NS)
    run.log({"other": 1.0}, time_ns=START_NS).log({"other": 2.0}, time_ns=START_NS + SECOND)
    found = rows(inspected(authored(tmp_path, run.sample())["stepless"]))
    assert [row["_step"] for row in found] == [7, 8, 9]


def test_numbers_are_spelled_to_the_last_bit(tmp_path: Path) -> None:
    run = Recording(header("numbers"))
    values = [0.1 + 0.2, 5e-324, 2**53 + 1, -(2**63), True, None, float("inf")]
    for step, value in enumerate(values):
        run.log({"n": value}, step=step, time_ns=START_NS)
    found = [row["n"] for row in rows(inspected(authored(tmp_path, run.sample())["numbers"]))]
    assert found == [*values[:-1], "Infinity"]


def test_the_run_is_what_it_was(tmp_path: Path) -> None:
    told = replace(
        header("told"), name="a name", group="a group", job_type="train", tags=("a", "b"),
        labels={"team": "vision"}, notes="some words", exit_code=3, state="failed",
    )  # fmt: skip
    run = Recording(told)
    run.attributes("config", {"lr": 0.1, ("model", "depth"): 3, "model.depth": "another"})
    run.attributes("summary", {"best": 0.5})
    run.attributes("environment", {"python": "3.12.1", "cpu_count": 8})
    run.log({"loss": 1.0}, step=0, time_ns=START_NS)
    records = inspected(authored(tmp_path, run.sample())["told"])
    stated = one(records, "run")
    config = stated["config"]["update"]
    assert (config["lr"], config["model.depth"], len(config)) == (0.1, 3, 3)
    assert "another" in config.values()  # under a name that W&B does not take for the same
    assert stated["display_name"] == "a name"
    assert (stated["run_group"], stated["job_type"]) == ("a group", "train")
    assert stated["tags"] == ["a", "b", "team=vision"]
    assert stated["notes"] == "some words"
    assert stated["start_time"] == "2023-11-14T22:13:20Z"
    assert "entity" not in stated  # so that it goes to whoever uploads it
    assert one(records, "summary")["update"] == {"best": 0.5}
    assert one(records, "environment")["python"] == "3.12.1"
    assert one(records, "exit")["exit_code"] == 3


def test_a_source_without_a_summary_gets_the_last_values(tmp_path: Path) -> None:
    run = Recording(header("latest"))
    for step in range(3):
        run.log({"loss": 1.0 / (step + 1), "step count": step}, step=step, time_ns=START_NS)
    records = inspected(authored(tmp_path, run.sample())["latest"])
    assert one(records, "summary")["update"] == {"loss": 1 / 3, "step count": 2}


def test_metrics_are_defined(tmp_path: Path) -> None:
    run = Recording(header("defined"))
    run.series(("epoch",), hidden=True)
    run.series(("val", "loss"), x_axis="epoch", goal="minimize", summary_rule="min,last")
    run.log({"epoch": 1, ("val", "loss"): 0.5}, step=0, time_ns=START_NS)
    records = inspected(authored(tmp_path, run.sample())["defined"])
    hidden, loss = (record["metric"] for record in records if record["type"] == "metric")
    assert hidden["options"]["hidden"]
    assert (loss["name"], loss["step_metric"]) == ("val.loss", "epoch")
    assert loss["goal"] == "GOAL_MINIMIZE"
    assert loss["summary"] == {"min": True, "last": True}


def test_system_metrics_are_statistics(tmp_path: Path) -> None:
    run = Recording(header("machine"))
    run.log({"cpu": 50.0}, time_ns=START_NS + 5, stream="system")
    stats = one(inspected(authored(tmp_path, run.sample())["machine"]), "stats")
    assert stats["item"] == {"cpu": 50}
    assert stats["timestamp"] == "2023-11-14T22:13:20.000000005Z"


def medium(kind: MediaType, content: bytes, caption: str | None = None) -> MediaItem:
    """Recording fills in key, place and index."""
    return MediaItem("", Address(0), kind, Blob.from_bytes(content), caption=caption)


def test_media_lie_where_their_rows_say(tmp_path: Path) -> None:
    run = Recording(header("media"))
    table = b'{"columns":["a","b"],"data":[[1,2],[3,4],[5,6]]}'
    run.log(
        {
            "one": medium("image", b"\x89PNG one", "cat"),
            "two": (medium("image", b"first", "a"), medium("image", b"second", "b")),
            "table": medium("table", table),
        },
        step=4,
        time_ns=START_NS,
    )
    log = authored(tmp_path, run.sample())["media"]
    records = inspected(log)
    (row,) = rows(records)
    assert row["one._type"] == "image-file"
    assert row["one.caption"] == "cat"
    assert row["two._type"] == "images/separated"
    assert row["two.captions"] == ["a", "b"]
    assert row["table._type"] == "table-file"
    assert (row["table.ncols"], row["table.nrows"]) == (2, 3)
    shown = {row["one.path"]: b"\x89PNG one", row["table.path"]: table}
    shown |= dict(zip(row["two.filenames"], (b"first", b"second"), strict=True))
    for path, content in shown.items():
        assert (log.parent / "files" / path).read_bytes() == content
    listed = [record["files"]["files"] for record in records if record["type"] == "files"]
    assert {files[0]["path"] for files in listed} == set(shown)


def test_an_artifact_has_its_manifest_and_its_bytes(tmp_path: Path) -> None:
    run = Recording(header("artifact"))
    entries = (
        ArtifactEntry("weights.bin", Blob.from_bytes(b"weights")),
        ArtifactEntry("elsewhere", reference="s3://bucket/key"),
        ArtifactEntry("gone", Blob(size=3)),
    )
    run.put(chunks.Artifact("my model", "model", "produced", aliases=("best",), entries=entries))
    stated = one(inspected(authored(tmp_path, run.sample())["artifact"]), "artifact")
    assert (stated["name"], stated["type"], stated["aliases"]) == ("my_model", "model", ["best"])
    by_path = {entry["path"]: entry for entry in stated["manifest"]["contents"]}
    assert set(by_path) == {"weights.bin", "elsewhere"}
    assert Path(by_path["weights.bin"]["local_path"]).read_bytes() == b"weights"
    assert by_path["elsewhere"]["ref"] == "s3://bucket/key"


@pytest.mark.parametrize("name", ["output.log", "config.yaml"])
def test_what_a_sync_would_write_over_is_kept_beside(tmp_path: Path, name: str) -> None:
    run = Recording(header("beside"))
    run.put(chunks.File(name, "other", Blob.from_bytes(b"ours")))
    run.put(chunks.File("notes.txt", "other", Blob.from_bytes(b"notes")))
    log = authored(tmp_path, run.sample())["beside"]
    assert [path.name for path in (log.parent / "files").iterdir()] == ["notes.txt"]
