"""One damaged run of an archive is one failed run, named, and the exit code tells."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.cli.calling import Caller

from runferry.archive.layout import commit_path
from runferry.archive.store import Archive
from runferry.errors import ExitCode


@pytest.fixture
def damaged(nasty: Path, tmp_path: Path) -> tuple[Path, str]:
    folder = tmp_path / "damaged"
    shutil.copytree(nasty, folder)
    uid = next(Archive.open(folder).uids())
    commit_path(folder, uid).write_text('{"commit_version": 1')
    return folder, uid


@pytest.mark.parametrize(
    "words",
    [
        ["ls"],
        ["inspect"],
        ["compact"],
        ["vacuum"],
        ["sql", "select count(*) from runs"],
        ["pull", "copy"],
        ["push", "archive:copy"],
        ["plan", "archive:copy"],
    ],
    ids=lambda words: words[0],
)
def test_a_damaged_run_fails_alone(
    runferry: Caller, damaged: tuple[Path, str], words: list[str]
) -> None:
    folder, uid = damaged
    verb, *rest = words
    whole = len(list(Archive.open(folder).uids())) - 1
    answer = runferry(verb, folder, *rest)
    assert answer.code == ExitCode.SOME_FAILED, answer.err
    assert uid in answer.err
    if verb in ("pull", "push"):
        assert len(list(Archive.open(runferry.folder / "copy").records())) == whole


def test_runs_that_were_asked_for_by_name_do_not_fail_with_another(
    runferry: Caller, damaged: tuple[Path, str]
) -> None:
    folder, _ = damaged
    run = next(iter(Archive.open(folder).records([]))).run
    assert run.name is not None
    answer = runferry("ls", folder, "--run", run.key.run_id)
    assert answer.code == ExitCode.DONE, answer.err
