"""A complete run that is sent in full again: hidden until it is sealed, then in the old's place."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tensorboard_shown import Served, event_file, loaded, opened, picture, tensorboard, written

from runferry.errors import Conflict
from runferry.model import Address, Blob, MediaItem, Run, Tree
from runferry.ports import Location, ReadOptions, RemoteId
from runferry.readers.tensorboard import TensorboardReader
from runferry.testing.content import Content
from runferry.testing.recording import Recording, Sample
from runferry.testing.samples import START_NS, as_run, curve, header
from runferry.testing.writer_laws import numbered


def send_anew(logdir: Path, sample: Sample, *, seal: bool = True) -> RemoteId:
    """All of it, in place of what is complete."""
    writer = opened(logdir)
    remote = writer.find(sample.run.uid)
    assert remote is not None
    for number, chunk in numbered(sample):
        writer.append(remote, number, chunk)
    if seal:
        writer.seal(remote, sample.run)
    writer.close()
    return remote


def runs_in(logdir: Path) -> list[tuple[Run, Content]]:
    reader = TensorboardReader.open(Location("tensorboard", str(logdir)), ReadOptions())
    return [(run, Content.of(reader.read(run))) for run in reader.runs()]


def run_in(logdir: Path) -> dict[str, Any]:
    """The only run there."""
    ((_, content),) = runs_in(logdir)
    return content.comparable()


def clean(tmp_path: Path, sample: Sample) -> dict[str, Any]:
    """The run where nothing was before."""
    written(tmp_path / "clean", sample)
    return run_in(tmp_path / "clean")


def names(folder: Path) -> set[str]:
    """All files that have content."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.stat().st_size)
    return {path.relative_to(folder).as_posix() for path in files}


def blobs(folder: Path) -> set[bytes]:
    return {path.read_bytes() for path in (folder / "runferry_files").iterdir()}


def filed(run_id: str, *contents: bytes) -> Sample:
    """A run with these bytes, which no event shows."""
    run = Recording(header(run_id, name="run"))
    for step, content in enumerate(contents):
        item = MediaItem("", Address(0), "html", Blob.from_bytes(content))
        run.log({"page": item, "loss": len(content)}, step=step, time_ns=START_NS + step)
    return run.sample()


def again(sample: Sample) -> Sample:
    return Sample(replace(as_run(sample, "again").run, name="run"), sample.chunks)


OLD, NEW = again(curve(40, batch=10)), again(curve(30, seed=9, batch=10))


@pytest.fixture
def logdir(tmp_path: Path) -> Path:
    return tmp_path / "logdir"


def test_what_is_there_stays_until_the_new_one_is_sealed(tmp_path: Path, logdir: Path) -> None:
    (remote,) = written(logdir, OLD)
    path = event_file(logdir, remote)
    before = path.read_bytes()
    send_anew(logdir, NEW, seal=False)
    assert event_file(logdir, remote) == path
    assert path.read_bytes() == before
    progress = opened(logdir).stored(remote)
    assert (progress.is_sealed, progress.was_sealed) == (False, True)
    assert progress.chunks == len(list(numbered(NEW)))
    opened(logdir).seal(remote, NEW.run)
    assert run_in(logdir) == clean(tmp_path, NEW)
    assert event_file(logdir, remote).name > path.name
    assert len(names(logdir)) == 1
    assert opened(logdir).present() == {OLD.run.uid: remote}


def test_it_is_the_same_run_however_often_it_is_replaced(tmp_path: Path, logdir: Path) -> None:
    expected = clean(tmp_path, NEW)
    ((once, _),) = runs_in(tmp_path / "clean")
    written(logdir, OLD)
    for _ in range(3):
        send_anew(logdir, NEW)
        ((run, _),) = runs_in(logdir)
        assert run == once
        assert run_in(logdir) == expected
        assert len(list((logdir / run.name).iterdir())) == 2  # the last one that went is empty


def test_what_was_begun_can_be_given_up(logdir: Path) -> None:
    old, new = filed("again", b"old", b"both"), filed("again", b"both", b"new")
    (remote,) = written(logdir, old)
    before = {name: (logdir / name).read_bytes() for name in names(logdir)}
    send_anew(logdir, new, seal=False)
    assert names(logdir) > set(before)
    opened(logdir).discard(remote)
    assert {name: (logdir / name).read_bytes() for name in names(logdir)} == before


def test_a_second_sending_into_what_was_begun_is_told(logdir: Path) -> None:
    (remote,) = written(logdir, OLD)
    send_anew(logdir, NEW, seal=False)
    (number, chunk), *_ = numbered(NEW)
    with pytest.raises(Conflict):
        opened(logdir).append(remote, number, chunk)


def test_bytes_go_with_the_last_that_names_them(tmp_path: Path, logdir: Path) -> None:
    (remote,) = written(logdir, filed("again", b"old", b"both"))
    new = filed("again", b"both", b"new")
    send_anew(logdir, new)
    assert blobs(logdir / remote) == {b"both", b"new"}
    assert run_in(logdir) == clean(tmp_path, new)
    send_anew(logdir, OLD)
    assert len(names(logdir)) == 1


def test_files_of_others_in_the_folder_stay(logdir: Path) -> None:
    from tensorboardX import SummaryWriter

    (remote,) = written(logdir, OLD)
    ours = event_file(logdir, remote).relative_to(logdir).as_posix()
    with SummaryWriter(str(logdir / remote)) as theirs:
        theirs.add_scalar("theirs", 1.0, 1)
    (logdir / remote / "notes.txt").write_text("mine")
    before = {name: (logdir / name).read_bytes() for name in names(logdir) - {ours}}
    send_anew(logdir, NEW)
    after = {name: (logdir / name).read_bytes() for name in names(logdir)}
    assert {name: after[name] for name in before} == before
    assert len(after) == len(before) + 1
    assert ours not in after


def test_left_with_both_files_the_later_one_is_the_run(tmp_path: Path, logdir: Path) -> None:
    """As a kill between the two steps leaves the folder."""
    old, new = filed("again", b"old", b"both"), filed("again", b"both", b"new")
    (remote,) = written(logdir, old)
    shutil.copytree(logdir, tmp_path / "kept")
    send_anew(logdir, new)
    shutil.copytree(tmp_path / "kept", logdir, dirs_exist_ok=True)
    assert sum("tfevents" in name for name in names(logdir)) == 2
    expected = clean(tmp_path, new)
    assert run_in(logdir) == expected
    progress = opened(logdir).stored(remote)
    assert (progress.is_sealed, progress.chunks) == (True, len(list(numbered(new))))
    assert sum("tfevents" in name for name in names(logdir)) == 1
    assert blobs(logdir / remote) == {b"both", b"new"}
    assert run_in(logdir) == expected


# --- a TensorBoard that reads along ---------------------------------------------------------------


def shown(run_id: str, start: float, steps: int, **config: Tree) -> Sample:
    run = Recording(header(run_id, name="run")).attributes("config", dict(config))
    picture_of = MediaItem("", Address(0), "image", Blob.from_bytes(picture(shade=int(start))))
    for step in range(steps):
        run.log({"loss": start + step, "note": f"{start}"}, step=step, time_ns=START_NS + step)
    return run.log({"picture": picture_of}, step=0, time_ns=START_NS).sample()


def curve_shown(served: Served, remote: RemoteId) -> list[tuple[int, float]]:
    points = served.get("/plugin/scalars/scalars", run=remote, tag="loss")
    return [(step, value) for _, step, value in points]


@pytest.mark.parametrize("data_server", [True, False], ids=["data-server", "python"])
@pytest.mark.parametrize("steps", [20, 5], ids=["longer", "shorter"])
def test_a_running_tensorboard_shows_the_new_curve(
    tmp_path: Path, data_server: bool, steps: int
) -> None:
    old, new = shown("again", 1.0, 10, lr=0.1), shown("again", 100.0, steps, lr=0.2)
    (remote,) = written(tmp_path, old)
    with tensorboard(tmp_path, data_server=data_server, runs=1) as served:
        deadline = time.monotonic() + 60
        while curve_shown(served, remote) != [(n, 1.0 + n) for n in range(10)]:
            assert time.monotonic() < deadline, "the old curve"
            time.sleep(0.2)
        send_anew(tmp_path, new)
        expected = [(n, 100.0 + n) for n in range(steps)]
        deadline = time.monotonic() + 60
        while (seen := curve_shown(served, remote)) != expected:
            assert time.monotonic() < deadline, seen
            time.sleep(0.2)
    assert [value for _, _, value in loaded(tmp_path, remote)["loss"]] == [v for _, v in expected]
