"""Files that a queue of Neptune's names by path: followed beside the run, and nowhere else."""

from __future__ import annotations

import shutil
from pathlib import Path

from gathered import Gathered
from neptune_gathered import gather_one
from neptune_queues import floats, log_on, operation, queue, replayed

from runferry import settings
from runferry.losses import Fate


def _upload(tmp_path: Path, path: Path) -> Gathered:
    upload = operation("UploadFile", "f", ext="txt", file_path=str(path))
    return replayed(tmp_path / "work", upload)


def test_a_path_is_followed_beside_the_run_and_not_elsewhere(tmp_path: Path) -> None:
    beside, elsewhere = tmp_path / "work" / "a" / "b.txt", tmp_path / "secret.txt"
    beside.parent.mkdir(parents=True)
    beside.write_text("mine")
    elsewhere.write_text("theirs")
    assert not _upload(tmp_path, beside).files["f.txt"].blob.is_missing
    shutil.rmtree(tmp_path / "work" / ".neptune")
    found = _upload(tmp_path, elsewhere)
    assert found.files["f.txt"].blob.is_missing
    (loss,) = (one for one in found.losses if one.code == "outside-upload")
    assert loss.fate is Fate.DROPPED
    (tmp_path / "work" / "link.txt").symlink_to(elsewhere)
    shutil.rmtree(tmp_path / "work" / ".neptune")
    found = _upload(tmp_path, tmp_path / "work" / "link.txt")
    assert found.files["f.txt"].blob.is_missing


def test_the_user_may_say_that_paths_are_followed_anywhere(tmp_path: Path) -> None:
    elsewhere = tmp_path / "model.txt"
    elsewhere.write_text("theirs")
    settings.install(settings.Settings(neptune_uploads="anywhere"))
    try:
        found = _upload(tmp_path, elsewhere)
    finally:
        settings.install(None)
    assert not found.files["f.txt"].blob.is_missing


def test_globs_look_nowhere_else_either(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("theirs")
    globs = [str(tmp_path / "*.txt"), str(tmp_path / "work" / ".." / "*"), "/etc/host*"]
    found = replayed(
        tmp_path / "work", operation("UploadFileSet", "s", file_globs=globs, reset="True")
    )
    assert not found.files
    assert found.codes() >= {"missing-files"}


def test_a_saved_file_never_leads_out_of_the_queue(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("theirs")
    upload = operation("UploadFile", "f", ext="txt", tmp_file_name="../../../../secret.txt")
    assert replayed(tmp_path, upload).files["f.txt"].blob.is_missing


def test_a_file_that_went_from_the_disk_after_it_was_read_changes_nothing(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    for name in ("a.txt", "b.txt", "c.txt"):
        (work / name).write_text(name)
    folder = queue(
        work / ".neptune",
        [
            operation("UploadFile", "f", ext="txt", file_path=str(work / "a.txt")),
            operation("UploadFileSet", "s", file_globs=[str(work / "*.txt")], reset="True"),
        ],
    )
    first = gather_one(work)
    assert set(first.files) == {"f.txt", "s/a.txt", "s/b.txt", "s/c.txt"}
    (work / "a.txt").unlink()
    log_on(folder, [floats("m", [(0, 1.0)])], first=3, log="data-1.log")
    rest = gather_one(work, first.cursor())
    assert rest.values("m") == [1.0]
    assert not rest.files
