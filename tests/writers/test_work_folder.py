"""Folders that runs lie in before they are uploaded: the living keep theirs."""

import os
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from runferry.python_apart import command_apart, environment_apart
from runferry.writers.work_folder import WorkFolder

_SERVING = """
import time
from runferry.testing.wandb_service import WandbService
with WandbService() as service:
    print(service.store.folder, flush=True)
    time.sleep(60)
"""
_AUTHORING = """
import sys, time
from runferry.writers.work_folder import WorkFolder
print(WorkFolder.made("wandb").path, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize(
    ("program", "tracker"), [(_AUTHORING, "wandb"), (_SERVING, "wandb-service")]
)
def test_folders_of_the_killed_go_when_another_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, tracker: str
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with subprocess.Popen(
        command_apart(program),
        env={**environment_apart(), "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        theirs = Path(process.stdout.readline().strip())
        mine = WorkFolder.made(tracker)
        assert theirs.is_dir()  # its process lives
        process.kill()
        process.wait()
    mine.remove()
    WorkFolder.made(tracker).remove()
    assert not list(tmp_path.iterdir())


def test_folders_made_at_once_are_all_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def made_and_used(_: int) -> bool:
        work = WorkFolder.made("neptune")
        (work.path / "run").write_text("staged")
        kept = (work.path / "run").read_text() == "staged"
        work.remove()
        return kept

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(made_and_used, range(500)))
    assert not list(tmp_path.iterdir())


def test_a_folder_whose_maker_was_killed_before_it_had_its_name_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    old, new = (tmp_path / f".runferry-wandb-{name}" for name in ("old", "new"))
    for folder in (old, new):
        folder.mkdir()
    os.utime(old, (0, 0))
    WorkFolder.made("wandb").remove()
    assert list(tmp_path.iterdir()) == [new]
