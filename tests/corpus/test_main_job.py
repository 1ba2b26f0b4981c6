"""The main job on strangers' data: every W&B run into MLflow, verified, and moved only once."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from runferry.archive.store import Archive
from runferry.errors import ExitCode
from runferry.losses import Fate, Loss
from runferry.ports import Location
from runferry.transfer.convert import ConvertOptions, convert

_BESIDE = Path(__file__).resolve().parents[2].parent / "shared" / "corpus"
CORPUS = Path(os.environ.get("RUNFERRY_CORPUS", _BESIDE)) / "wandb"


LOST_WHILE_READING = {
    ("damaged-bytes", Fate.DROPPED): 46,  # in files that somebody cut or overwrote
    ("missing-database", Fate.DROPPED): 1,
    ("same-run-id", Fate.RENAMED): 3,
    ("cut-tail", Fate.KEPT): 280,
    ("empty-database", Fate.KEPT): 1,
    ("missing-bytes", Fate.KEPT): 90,
}
"""What the corpus is known to have lost before anybody read it; nothing else may go."""

RENAMED_OR_REENCODED = {
    *("artifact", "attribute-type", "console", "environment", "file", "finer-time"),
    *("header-times", "histogram", "key-path", "long-attribute", "null-step", "null-time"),
    *("null-value", "number-kind", "other", "raw", "renamed-key", "run-id", "series-facts"),
    *("summary", "table", "text"),
}
"""What MLflow holds in another form, from which the original is restored exactly."""


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
    assert len(first.pull.outcomes) == len(first.push.outcomes) == len(first.verify.runs) == 126
    failed = [(run.run, run.error) for run in (*first.pull.failures, *first.push.failures)]
    assert not failed
    assert first.exit_code is ExitCode.DONE
    assert counted(first.pull.losses) == LOST_WHILE_READING
    sent = counted(first.push.losses)
    beyond = {kind: count for kind, count in sent.items() if kind not in LOST_WHILE_READING}
    assert LOST_WHILE_READING.items() <= sent.items()
    assert {code for code, _ in beyond} == RENAMED_OR_REENCODED
    assert max(fate for _, fate in beyond) is Fate.REENCODED
    again = convert(source, destination, archive)
    statuses = {outcome.status for phase in (again.pull, again.push) for outcome in phase.outcomes}
    assert statuses == {"unchanged"}
    assert sum(outcome.rows for outcome in (*again.pull.outcomes, *again.push.outcomes)) == 0
    assert again.exit_code is ExitCode.DONE  # the losses were told when they were met


def counted(losses: Iterable[Loss]) -> dict[tuple[str, Fate], int]:
    return {(loss.code, loss.fate): loss.count for loss in losses}
