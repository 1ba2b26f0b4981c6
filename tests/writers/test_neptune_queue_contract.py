"""The client's offline queue keeps the laws of every writer."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from neptune_shown import replayed
from tests.transfer.roads import archive_of

from runferry import settings
from runferry.dialects.neptune.attribute_paths import SEALED, UID
from runferry.dialects.neptune.own_store import offline_store
from runferry.dialects.neptune.places import ServerPlace
from runferry.dialects.plain_folder.folders import Folders
from runferry.errors import Refused
from runferry.model import Uid
from runferry.ports import Location, RemoteId
from runferry.readers.neptune.reader import NeptuneReader
from runferry.testing.samples import curve
from runferry.testing.writer_contract import WriterContract
from runferry.transfer.push import push
from runferry.writers.neptune import NeptuneWriter
from runferry.writers.neptune.queued import note_queue, queue_of, queues, take_back, was_sent
from runferry.writers.neptune.queues import SharedQueues
from runferry.writers.work_folder import WorkFolder

pytest.importorskip("neptune", reason="neptune is not installed")


class TestNeptuneQueue(WriterContract):
    writer = NeptuneWriter
    reader = NeptuneReader

    @pytest.fixture
    def destination(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Location]:
        monkeypatch.setenv("NEPTUNE_DATA_DIRECTORY", str(tmp_path / ".neptune"))
        settings.install(settings.Settings(neptune_mode="offline"))
        yield Location("neptune", "team/project")
        for queue in (tmp_path / ".neptune" / "offline").glob("*"):
            shown = replayed(queue)  # whatever a test did: what waits to be sent is whole
            assert shown[SEALED] is True
            assert len(shown[UID]) == 32
        settings.install(None)

    def owned(self, destination: Location) -> tuple[Path, ...]:
        return (offline_store(ServerPlace("team")).parent.parent,)

    def unavailable(self, tmp_path: Path) -> Iterator[Location]:
        yield Location("neptune", "a/b/c")

    def add_foreign(self, destination: Location) -> None:
        self.send(destination, curve(10, seed=5))  # by a push of somebody else

    def remove(self, destination: Location, remote: RemoteId) -> None:
        folder = Folders(offline_store(ServerPlace("team", "project"))).find(Uid(remote))
        assert folder is not None
        shutil.rmtree(folder)


def test_uploads_of_other_runs_may_go_while_one_is_queued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a killed push left of another run is cleared up by the worker that sends that one."""
    monkeypatch.setenv("NEPTUNE_DATA_DIRECTORY", str(tmp_path / ".neptune"))
    settings.install(settings.Settings(neptune_mode="offline"))
    there = Location("neptune", "team/project")
    NeptuneWriter.open(there).close()
    others = offline_store(ServerPlace("team", "project")) / "uploads" / "of-another-run"
    others.mkdir(parents=True)
    (others / "gone").symlink_to("since it was listed")
    report = push(archive_of([curve(10)], tmp_path), there)
    settings.install(None)
    assert not report.failures, [outcome.error for outcome in report.failures]


def test_a_queue_of_a_killed_push_that_cannot_be_removed_is_heard_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stayed there would be sent beside what the next push queues."""
    monkeypatch.setenv("NEPTUNE_DATA_DIRECTORY", str(tmp_path / ".neptune"))
    settings.install(settings.Settings(neptune_mode="offline"))
    writer = NeptuneWriter.open(Location("neptune", "team/project"))
    run = curve(10).run
    remote = writer.create(run, run.uid)
    store = offline_store(ServerPlace("team", "project"))
    (attempt,) = (path for path in store.rglob(f"{run.uid}/*") if path.is_dir())
    queue = queues() / "run__killed__1"
    (queue / "operations").mkdir(parents=True)
    note_queue(attempt, queue.name, "team/project", run.key.run_id)

    def closed(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as no_leave:
        no_leave.setattr("os.rmdir", closed)
        with pytest.raises(Refused, match="Permission denied"):
            writer.discard(remote)
    assert queue.is_dir()
    writer.discard(remote)
    assert not queue.exists()
    writer.close()
    settings.install(None)


@pytest.mark.parametrize("name", ["..", "a/..", "", "."])
def test_no_folder_but_a_queue_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("NEPTUNE_DATA_DIRECTORY", str(tmp_path / ".neptune"))
    other = queues() / "run__of-another__1"
    other.mkdir(parents=True)
    staged = tmp_path / "staged"
    staged.mkdir()
    note_queue(staged, name, "team/project", "one")
    with pytest.raises(Refused, match="names no queue"):
        take_back(staged)
    assert other.is_dir()


@pytest.mark.parametrize("noted", ["", "{", "[1]", '{"project": "p"}', "\udcff"])
def test_a_note_that_is_garbled_is_refused_and_the_file_named(tmp_path: Path, noted: str) -> None:
    note = tmp_path / "queued.json"
    note.write_text(noted, errors="surrogateescape")
    for asked in (was_sent, queue_of, take_back):
        with pytest.raises(Refused, match="cannot be read") as refused:
            asked(tmp_path)
        assert f"rm {note}" in refused.value.hint


def test_a_folder_of_queues_that_cannot_be_removed_is_not_used_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def closed(_: WorkFolder) -> None:
        raise OSError("closed")

    shared = SharedQueues()
    first = shared.enter()
    with monkeypatch.context() as shut:
        shut.setattr(WorkFolder, "remove", closed)
        with pytest.raises(OSError, match="closed"):
            shared.leave()
    second = shared.enter()
    assert second != first
    shared.leave()
    shutil.rmtree(first)
