"""Where a run lies in a logdir: in a folder of its own, whatever its name, known by its mark."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tensorboard_shown import opened, written

from runferry import _native, chunks
from runferry.dialects.tensorboard.wire import record_event
from runferry.errors import RunMissing
from runferry.model import Run
from runferry.ports import RemoteId
from runferry.testing.samples import HOSTILE_NAMES, UNICODE_NAMES, header, plain


def named(name: str | None, run_id: str) -> Run:
    return header(run_id, name=name)


@pytest.mark.parametrize(
    "name", ["plain", "with blank", "a/b/c", "v1.2", "naïve", "run (2)", "a=b"]
)
def test_a_safe_name_is_the_folder(tmp_path: Path, name: str) -> None:
    run = named(name, "r")
    assert opened(tmp_path).create(run, run.uid) == name
    assert (tmp_path / name).is_dir()


@pytest.mark.parametrize(
    "name",
    [*HOSTILE_NAMES, *UNICODE_NAMES, "", None, "x" * 300, "a/../b", "a/./b", "runferry_files",
     "a/runferry_files", "a/plugins/profile/b",
     "COM1", "aux.txt", "a/nul/b", ".runferry-x", "a\\b", "dot.", "深" * 100],
)  # fmt: skip
def test_no_name_leaves_the_logdir(tmp_path: Path, name: str | None) -> None:
    logdir = tmp_path / "logdir"
    run = named(name, "r")
    remote = opened(logdir).create(run, run.uid)
    folder = (logdir / remote).resolve()
    assert folder.is_dir()
    assert folder.is_relative_to(logdir.resolve())
    assert folder != logdir.resolve()
    assert [path.name for path in tmp_path.iterdir()] == ["logdir"]
    assert opened(logdir).find(run.uid) == remote


def test_runs_of_one_name_get_folders_of_their_own(tmp_path: Path) -> None:
    runs = [named("same", f"r{n}") for n in range(3)]
    remotes = [opened(tmp_path).create(run, run.uid) for run in runs]
    assert remotes[0] == "same"
    assert len(set(remotes)) == 3
    writer = opened(tmp_path)
    assert [writer.find(run.uid) for run in runs] == remotes
    assert all(remote.startswith("same-") for remote in remotes[1:])


def test_a_run_below_another_is_found_and_stays_when_that_one_goes(tmp_path: Path) -> None:
    above, below = named("a", "above"), named("a/b", "below")
    writer = opened(tmp_path)
    first, second = writer.create(above, above.uid), writer.create(below, below.uid)
    assert (first, second) == ("a", "a/b")
    assert opened(tmp_path).find(below.uid) == second
    writer.discard(first)
    assert writer.find(above.uid) is None
    assert opened(tmp_path).find(below.uid) == second


def test_two_writers_that_create_one_run_agree(tmp_path: Path) -> None:
    run = named("one", "r")
    first, second = opened(tmp_path), opened(tmp_path)
    assert first.find(run.uid) is second.find(run.uid) is None
    assert first.create(run, run.uid) == second.create(run, run.uid)
    assert len(list(tmp_path.iterdir())) == 1


def test_writers_that_create_one_run_at_once_agree(tmp_path: Path) -> None:
    run = named("one", "r")
    for turn in range(20):
        logdir = tmp_path / str(turn)
        with ThreadPoolExecutor(4) as pool:
            made = [pool.submit(opened(logdir).create, run, run.uid) for _ in range(4)]
        assert {one.result() for one in made} == {"one"}
        assert [path.name for path in logdir.iterdir()] == ["one"]


def test_a_file_where_a_folder_should_be_sends_the_run_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("mine")
    run = named("a/b", "r")
    remote = opened(tmp_path).create(run, run.uid)
    assert opened(tmp_path).find(run.uid) == remote == f"a_b-{run.uid[:8]}"


def test_a_mark_that_is_not_ours_is_passed_over(tmp_path: Path) -> None:
    sample = plain()
    (remote,) = written(tmp_path, sample)
    strange = tmp_path / "strange" / f"events.out.tfevents.0000000000.runferry.{'b' * 32}"
    strange.parent.mkdir()
    writer = _native.EventWriter(strange, offset=0, tags={}, doubles=False)
    writer.event(record_event("runferry/mark", b"{}"))
    writer.flush()
    assert opened(tmp_path).present() == {sample.run.uid: remote}


def test_a_folder_that_was_renamed_is_found_by_its_mark(tmp_path: Path) -> None:
    sample = plain()
    (remote,) = written(tmp_path, sample, plain("other"))[:1]
    writer = opened(tmp_path)
    assert writer.find(sample.run.uid) == remote
    (tmp_path / remote).rename(tmp_path / "renamed")
    assert writer.find(sample.run.uid) == "renamed"
    assert opened(tmp_path).present()[sample.run.uid] == "renamed"


@pytest.mark.parametrize("remote", ["..", "../x", "/etc", "a/../../b", "", ".", "a\0b"])
def test_an_id_that_is_no_folder_below_is_no_run(tmp_path: Path, remote: str) -> None:
    with pytest.raises(RunMissing):
        opened(tmp_path / "logdir").stored(RemoteId(remote))


def test_listing_tells_sealed_runs_only(tmp_path: Path) -> None:
    done, half = plain("done"), plain("half")
    (remote,) = written(tmp_path, done)
    written(tmp_path, half, seal=False)
    assert opened(tmp_path).present() == {done.run.uid: remote}


def test_a_discarded_growth_is_claimed_by_nobody(tmp_path: Path) -> None:
    sample = plain()
    (remote,) = written(tmp_path, sample)
    writer = opened(tmp_path)
    number = writer.stored(remote).chunks
    writer.append(remote, number, chunks.Raw("more", "of it", b""))
    writer.claim(remote, "me")
    writer.discard(remote)
    progress = writer.stored(remote)
    assert progress.is_sealed
    assert progress.claim is None
