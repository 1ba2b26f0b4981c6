"""Runs of other trackers, and of W&B itself, come back from run folders as they were."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.contract.wandb_sdk import make_wandb_folder

from runferry.api import convert
from runferry.dialects.wandb.own_files import SIDE_FILE
from runferry.losses import Fate
from runferry.ports import Location, ReadOptions
from runferry.readers.wandb.reader import WandbFilesReader
from runferry.testing.content import Content
from runferry.testing.samples import curve, plain
from runferry.transfer.report import ConvertReport
from runferry.writers.mlflow import MlflowWriter


def of_wandb(folder: Path) -> str:
    """A run of W&B's own client."""
    return f"wandb:{make_wandb_folder(folder / 'theirs')}"


def of_mlflow(folder: Path) -> str:
    """Runs in a database of MLflow."""
    place = f"sqlite:///{folder / 'mlflow.db'}"
    writer = MlflowWriter.open(Location("mlflow", place))
    for sample in (plain(), curve(40)):
        remote = writer.create(sample.run, sample.run.uid)
        for number, chunk in enumerate(sample.chunks[:-1]):
            writer.append(remote, number, _named(chunk))
        writer.seal(remote, sample.run)
    writer.close()
    return f"mlflow:{place}"


def _named(chunk: Any) -> Any:
    from dataclasses import replace

    from runferry.chunks import Attributes

    if isinstance(chunk, Attributes):
        items = (replace(item, name=".".join(item.path)) for item in chunk.items)
        return replace(chunk, items=tuple(items))
    return chunk


def of_tensorboard(folder: Path) -> str:
    """A run of torch's writer, in which each value has an event of its own."""
    from tensorboardX import SummaryWriter

    with SummaryWriter(str(folder / "logdir" / "run")) as writer:
        for step in range(30):
            writer.add_scalar("train/loss", 1.0 / (step + 1), step, walltime=1.7e9 + step)
            writer.add_scalar("val/loss", 2.0 / (step + 1), step, walltime=1.7e9 + step + 0.25)
        writer.add_text("note", "hello", 3)
    return f"tensorboard:{folder / 'logdir'}"


def converted(source: str, folder: Path, allow: Fate = Fate.DROPPED) -> ConvertReport:
    """Bring all runs into `there`, by an archive of this test."""
    return convert(source, f"wandb:{folder / 'there'}", archive=folder / "archive", allow=allow)


@pytest.mark.parametrize("made", [of_wandb, of_mlflow, of_tensorboard])
def test_every_run_arrives_and_is_verified(tmp_path: Path, made: Callable[[Path], str]) -> None:
    report = converted(made(tmp_path), tmp_path, allow=Fate.REENCODED)
    assert report.exit_code == 0, report
    folders = [path.parent for path in (tmp_path / "there").glob(f"*/{SIDE_FILE}")]
    assert folders
    for folder in folders:
        assert json.loads((folder / SIDE_FILE).read_text())["uid"]


def test_a_run_of_wandb_keeps_its_id_and_what_it_logged(tmp_path: Path) -> None:
    source = of_wandb(tmp_path)
    converted(source, tmp_path)
    before, after = (_only(Path(place)) for place in (source[6:], str(tmp_path / "there")))
    assert after.key == before.key
    assert after.origin_uid == before.uid


def _only(folder: Path) -> Any:
    reader = WandbFilesReader.open(Location("wandb", str(folder)), ReadOptions())
    (run,) = reader.runs()
    assert Content.of(reader.read(run)).header is not None
    return run


def test_values_of_a_step_in_many_events_become_one_row(tmp_path: Path) -> None:
    from runferry import _native

    converted(of_tensorboard(tmp_path), tmp_path)
    (log,) = (tmp_path / "there").glob("*/run-*.wandb")
    rows = _native.wandb_records(log)["history"]
    assert len(rows) == 30
    assert rows[3]["item"] == {
        "train/loss": 0.25,
        "val/loss": 0.5,
        "note/text_summary": "hello",
        "_step": 3,
        "_timestamp": rows[3]["item"]["_timestamp"],
        "_runtime": rows[3]["item"]["_runtime"],
    }
