"""Runs are added to one that SwanLab's own client has logged: whole, once, and under free names."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from swanlab_service import SwanlabService, signed_in, written

import runferry
from runferry.dialects.swanlab.adopted import NOTE, AdoptedNote, adopted_home
from runferry.errors import Declined, Refused
from runferry.losses import Fate
from runferry.ports import Location
from runferry.python_apart import command_apart, environment_apart
from runferry.registry import awaited, is_readable, takes_growth
from runferry.testing.recording import Recording, Sample
from runferry.testing.samples import START_NS, header
from runferry.writers.swanlab import adopted_run as module
from runferry.writers.swanlab.upload import environment, upload, vendor_command
from runferry.writers.upload_lock import one_upload

pytest.importorskip("swanlab", reason="no swanlab package")

SECOND = 10**9
LOGS = """
import sys
import swanlab
quiet = swanlab.Settings(
    interactive=False,
    probe=dict.fromkeys(("hardware", "runtime", "requirements", "conda", "git", "monitor"), False),
)
swanlab.init(project="zoo", experiment_name="lion", mode="offline", log_dir=sys.argv[1],
             settings=quiet, config={"lr": 0.1, "own": 1})
for step in range(3):
    swanlab.log({"loss": 10.0 + step, "word": swanlab.Text(f"theirs {step}")}, step=step)
print("a line of theirs")
swanlab.finish()
"""


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder that SwanLab's client left."""
    home = tmp_path_factory.mktemp("theirs") / "swanlog"
    command = command_apart(LOGS, str(home))
    subprocess.run(command, env=environment_apart(), check=True, capture_output=True, timeout=120)
    (folder,) = home.glob("run-*")
    return folder


@pytest.fixture
def folder(logged: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(logged, tmp_path / "swanlog" / logged.name))


def sample(rows: int = 3, run_id: str = "owl") -> Sample:
    run = replace(header(run_id), name=run_id, tags=("t",))
    recording = Recording(run)
    for row in range(rows):
        values: dict[str, Any] = {"loss": float(row), "word": f"ours {row}", "acc": row / 2}
        recording.log(values, step=row, time_ns=START_NS + row * SECOND)
    recording.console([("stdout", "a line of ours\n", START_NS)])
    return recording.sample()


def place(folder: Path) -> Location:
    return Location("swanlab", str(folder))


def log_of(folder: Path) -> Path:
    (log,) = folder.glob("run-*.swanlab")
    return log


def rows_of(folder: Path) -> dict[str, list[tuple[int, float]]]:
    (run,) = runferry.load(f"swanlab:{folder.parent}")
    found: dict[str, list[tuple[int, float]]] = {}
    for row in run.points.to_pylist():
        found.setdefault(row["key"], []).append((row["step"], row["value"]))
    return found


def sent(service: SwanlabService) -> dict[str, list[tuple[int, float]]]:
    found: dict[str, list[tuple[int, float]]] = {}
    for one in service.metrics["scalar"]:
        found.setdefault(one["key"], []).append((one["index"], one["data"]))
    return found


def numbers(count: int, factor: float = 1.0) -> list[tuple[int, float]]:
    return [(step, step * factor) for step in range(count)]


THEIRS = [(step, 10.0 + step) for step in range(3)]


def test_swanlab_sync_sends_one_run_with_all_of_both(folder: Path, tmp_path: Path) -> None:
    written(place(folder), sample()).close()
    with signed_in(tmp_path / "home") as service:
        subprocess.run(
            [*vendor_command(), "sync", str(folder)],
            env=environment(), check=True, capture_output=True, timeout=120,
        )  # fmt: skip
    assert sent(service) == {"loss": THEIRS, "reference/loss": numbers(3), "acc": numbers(3, 0.5)}
    media = [(one["key"], one["index"]) for one in service.metrics["media"]]
    assert sorted(media) == [(key, step) for key in ("reference/word", "word") for step in range(3)]
    lines = [one["message"] for one in service.metrics["log"]]
    assert lines.count("a line of theirs") == 1
    assert "a line of ours" not in lines  # which is told, see below
    assert len(service.experiments) == 1
    (made,) = service.experiments.values()
    assert made["name"] == "lion"
    assert service.states == ["FINISHED"]


def in_the_cloud(folder: Path) -> None:
    """As a client leaves its run that has uploaded it and is through."""
    note = AdoptedNote(log_of(folder).stem.removeprefix("run-"), "online")
    upload(folder, note.run_id, None, "zoo")
    adopted_home(folder).mkdir(parents=True)
    (adopted_home(folder) / NOTE).write_text(note.text())
    os.utime(log_of(folder), (0, 0))


def test_a_run_in_the_cloud_gets_what_is_new_to_it_once(folder: Path, tmp_path: Path) -> None:
    with signed_in(tmp_path / "home") as service:
        in_the_cloud(folder)
        for _ in range(2):
            written(place(folder), sample()).close()
    assert sent(service) == {"loss": THEIRS, "reference/loss": numbers(3), "acc": numbers(3, 0.5)}
    assert [one["name"] for one in service.experiments.values()] == ["lion"]
    assert service.profile["config"]["own"]["value"] == 1
    assert {*service.states} == {"FINISHED"}


def test_a_row_that_does_not_arrive_in_the_cloud_is_told(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runferry.writers.swanlab.read_back.SECONDS_TO_SUM_UP", 0.0)
    with signed_in(tmp_path / "home") as service:
        in_the_cloud(folder)
        service.lost_rows = {("acc", 1)}
        writer = written(place(folder), sample(4))
        told = [loss for loss in writer.losses(sample().run.uid) if loss.code == "not-arrived"]
        writer.close()
    assert [(loss.where, loss.count, loss.fate) for loss in told] == [("acc", 1, Fate.DROPPED)]


def test_a_configuration_that_was_added_never_counts_as_the_clients(folder: Path) -> None:
    (folder / "files" / "config.yaml").unlink()
    for one in (sample(), sample(2, "lynx")):
        written(place(folder), one).close()
    (run,) = runferry.load(f"swanlab:{folder.parent}")
    assert {*run.config["runferry"]} == {sample().run.uid, sample(2, "lynx").run.uid}


@pytest.mark.parametrize("text", ["own: [1", "- 1\n", "own: 1\n", "own: \xff"])
def test_a_configuration_that_is_damaged_is_told_and_stays(folder: Path, text: str) -> None:
    config = folder / "files" / "config.yaml"
    config.write_bytes(text.encode("latin-1"))
    before = log_of(folder).read_bytes()
    with pytest.raises(Refused, match="configuration of this run is damaged"):
        written(place(folder), sample())
    assert config.read_bytes() == text.encode("latin-1")
    assert log_of(folder).read_bytes() == before


def test_a_folder_has_one_lock_by_whatever_name_it_is_called(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[Path | None] = []

    def taken(
        tracker: str, where: str, *, beside: Path | None = None
    ) -> AbstractContextManager[tuple[int, ...]]:
        held.append(beside)
        return one_upload(tracker, where, beside=beside)

    monkeypatch.setattr(module, "one_upload", taken)
    (tmp_path / "alias").symlink_to(folder.parent)
    for name in (folder, tmp_path / "alias" / folder.name):
        written(place(name), sample()).close()
    assert held == [adopted_home(folder)] * 4
    assert rows_of(folder)["reference/loss"] == numbers(3)


def test_what_is_renamed_and_left_out_is_told_with_its_place(folder: Path) -> None:
    writer = written(place(folder), sample())
    remote = sample().run.uid
    losses = {(loss.code, loss.where, loss.fate) for loss in writer.losses(remote)}
    writer.close()
    assert losses >= {
        ("taken-key", "loss", Fate.RENAMED),
        ("taken-key", "word", Fate.RENAMED),
        ("taken-console", "", Fate.DROPPED),
    }
    (run,) = runferry.load(f"swanlab:{folder.parent}")
    about = run.config["runferry"][remote]
    assert about["renamed_keys"] == {"reference/loss": "loss", "reference/word": "word"}
    assert (about["run_id"], about["name"], about["tags"]) == ("owl", "owl", ["t"])
    assert (run.run.name, run.config["own"]) == ("lion", 1)


class Killed(BaseException):
    """As if the process were gone."""


def steps_of(monkeypatch: pytest.MonkeyPatch, folder: Path, dies_at: int) -> int:
    """Add a run, and die before the so manieth file is replaced; how many were."""
    count, original = 0, module.replace_file

    def replaced(new: Path, path: Path) -> None:
        nonlocal count
        if count == dies_at:
            raise Killed
        count += 1
        original(new, path)

    with monkeypatch.context() as patch:
        patch.setattr(module, "replace_file", replaced)
        written(place(folder), sample()).close()
    return count


def test_killed_anywhere_and_sent_again_equals_one_clean_run(
    folder: Path, logged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    total = steps_of(monkeypatch, folder, -1)
    clean, before = log_of(folder).read_bytes(), log_of(logged).read_bytes()
    assert total > 3
    for dies_at in range(total):
        shutil.rmtree(folder)
        shutil.rmtree(adopted_home(folder))
        shutil.copytree(logged, folder)
        with pytest.raises(Killed):
            steps_of(monkeypatch, folder, dies_at)
        assert log_of(folder).read_bytes() == before  # all of it, or nothing
        steps_of(monkeypatch, folder, -1)
        assert log_of(folder).read_bytes() == clean


def test_a_run_that_gets_the_folder_of_one_that_was_removed_stays(
    folder: Path, tmp_path: Path
) -> None:
    """SwanLab's client takes a name of the user's own for it (`run.dir`)."""
    written(place(folder), sample()).close()
    shutil.rmtree(folder)
    subprocess.run(
        command_apart(LOGS, str(tmp_path / "other")),
        env=environment_apart(), check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    (other,) = (tmp_path / "other").glob("run-*")
    other.rename(folder)
    before = log_of(folder).read_bytes()
    for _ in range(2):
        written(place(folder), sample(2, "lynx")).close()
    assert log_of(folder).read_bytes()[: len(before) - 64] == before[:-64]
    assert {*rows_of(folder)} == {"loss", "reference/loss", "acc"}
    assert (adopted_home(folder) / "run.swanlab").read_bytes() == before
    (aside,) = adopted_home(folder).glob("another-*/run.swanlab")
    assert aside.read_bytes() != before


def test_a_run_that_is_sent_again_takes_its_own_place_and_names(folder: Path) -> None:
    for one in (sample(), sample(2, "lynx"), sample(5)):
        written(place(folder), one).close()
    assert rows_of(folder) == {
        "loss": THEIRS,
        "reference/loss": numbers(5),
        "acc": numbers(5, 0.5),
        "reference/lynx/loss": numbers(2),
        "reference/acc": numbers(2, 0.5),
    }


def test_records_of_the_client_stand_as_they_were_and_its_end_is_the_last(
    folder: Path, logged: Path
) -> None:
    written(place(folder), sample()).close()
    before, after = log_of(logged).read_bytes(), log_of(folder).read_bytes()
    assert after[: len(before) - 64] == before[:-64]
    (run,) = runferry.load(f"swanlab:{folder.parent}")
    assert run.run.state == "finished"
    assert (adopted_home(folder) / "run.swanlab").read_bytes() == before


@pytest.fixture
def open_one(folder: Path) -> Path:
    """Its client has not said that it is through."""
    content = log_of(folder).read_bytes()
    log_of(folder).write_bytes(content[:-20])
    return folder


def test_a_run_whose_client_is_at_work_is_left_alone(open_one: Path) -> None:
    before = log_of(open_one).read_bytes()
    with pytest.raises(Declined, match="until SwanLab's client has ended"):
        written(place(open_one), sample())
    assert awaited(place(open_one))
    assert log_of(open_one).read_bytes() == before


def test_a_folder_of_runs_is_no_run(folder: Path) -> None:
    assert not takes_growth(place(folder))
    assert not is_readable(place(folder))
    home = place(folder.parent)
    assert takes_growth(home)
    assert is_readable(home)
    assert not awaited(home)
