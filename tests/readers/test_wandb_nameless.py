"""A `.wandb` file that grows: what it says is read when it says it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.readers.gathered import pulled
from wandb_runs import folder_with, framed, history_record, run_record

from runferry.ports import ReadOptions

GROWING = ReadOptions(is_growing=True)


@pytest.mark.parametrize("begun", [b"", framed([])], ids=["empty", "header"])
def test_a_database_is_no_run_before_it_says_which_it_is(tmp_path: Path, begun: bytes) -> None:
    folder = folder_with(tmp_path / "runs", [])
    (folder / "run-r1.wandb").write_bytes(begun)
    archive = pulled(tmp_path / "runs", tmp_path / "grown", options=GROWING)
    assert list(archive.headers()) == []
    records = [run_record("r1", project="p"), history_record(0, loss=1)]
    (folder / "run-r1.wandb").write_bytes(framed(records))
    archive = pulled(tmp_path / "runs", tmp_path / "grown", options=GROWING)
    assert [(run.project, run.key.run_id) for run in archive.headers()] == [("p", "r1")]


def test_one_that_never_says_so_is_there_when_no_more_comes(tmp_path: Path) -> None:
    folder_with(tmp_path / "runs", [history_record(0, loss=1)])
    assert list(pulled(tmp_path / "runs", tmp_path / "a", options=GROWING).headers()) == []
    assert len(list(pulled(tmp_path / "runs", tmp_path / "a").headers())) == 1
