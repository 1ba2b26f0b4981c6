"""The main job on strangers' data: every W&B run into MLflow, verified, and moved only once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runferry.archive.store import Archive
from runferry.errors import ExitCode
from runferry.losses import Fate
from runferry.ports import Location
from runferry.transfer.convert import ConvertOptions, convert

_BESIDE = Path(__file__).resolve().parents[2].parent / "shared" / "corpus"
CORPUS = Path(os.environ.get("RUNFERRY_CORPUS", _BESIDE)) / "wandb"


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not here: set RUNFERRY_CORPUS")
def test_a_tree_of_wandb_runs_arrives_in_mlflow_verified_and_is_moved_once(tmp_path: Path) -> None:
    source = Location("wandb", str(CORPUS))
    destination = Location("mlflow", f"sqlite:///{tmp_path / 'all.db'}")
    archive = Archive.open(tmp_path / "archive", create=True)
    options = ConvertOptions(allow=Fate.DROPPED)
    first = convert(source, destination, archive, options)
    assert first.verify is not None
    told = [(run.run, run.error, run.unexpected) for run in first.verify.runs if not run.is_clean]
    assert not told
    assert len(first.pull.outcomes) > 50
    assert first.exit_code in (ExitCode.DONE, ExitCode.SOME_FAILED)  # some files are no runs
    again = convert(source, destination, archive, options)
    statuses = {outcome.status for phase in (again.pull, again.push) for outcome in phase.outcomes}
    assert statuses <= {"unchanged", "failed"}
    assert sum(outcome.rows for outcome in (*again.pull.outcomes, *again.push.outcomes)) == 0
