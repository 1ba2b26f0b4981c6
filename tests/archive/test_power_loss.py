"""When the power fails, a disk holds what was synced: committed runs must be whole in that."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.archive.runs import Row, archived, batch_of, content, run_named
from tests.blobs import bytes_of

from runferry import durable
from runferry.archive.as_destination import ArchiveWriter
from runferry.archive.layout import commit_path, run_folder
from runferry.archive.store import Archive
from runferry.chunks import Chunk, File, Points
from runferry.model import Blob
from runferry.ports import Location

BYTES = b"weights"


@dataclass
class Disk:
    """What a disk is bound to hold: names as of each folder's last sync, and contents likewise."""

    top: Path
    names: dict[int, dict[str, int]] = field(default_factory=dict)
    contents: dict[int, bytes] = field(default_factory=dict)
    is_broken: bool = False  # what is synced now does not get there

    def sync_all(self, paths: list[Path]) -> None:
        for path in paths:
            self.sync(path)

    def sync(self, path: Path) -> None:
        if self.is_broken:
            return
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            self.names[found.st_ino] = {entry.name: entry.inode() for entry in os.scandir(path)}
        else:
            self.contents[found.st_ino] = path.read_bytes()

    def after_power_loss(self, place: Path) -> Archive:
        self._restore(self.top.stat().st_ino, place)
        return Archive.open(place / "new" / "archive")

    def _restore(self, inode: int, place: Path) -> None:
        place.mkdir()
        for name, entry in self.names.get(inode, {}).items():
            if entry in self.contents:
                (place / name).write_bytes(self.contents[entry])
            else:
                self._restore(entry, place / name)


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk(tmp_path / "disk")
    disk.top.mkdir()
    monkeypatch.setattr(durable, "_sync", disk.sync_all)
    return disk


def chunks(count: int) -> list[Chunk]:
    rows = [Row("loss", seq, seq) for seq in range(count)]
    return [Points(batch_of(rows)), File("f", "other", Blob.from_bytes(BYTES))]


def check_whole(archive: Archive, name: str, count: int) -> None:
    record = archive.record(run_named(name).uid)
    assert record is not None
    archive.check(record)
    assert len(content(archive, record)) == count
    (file,) = [chunk for chunk in archive.chunks(record) if isinstance(chunk, File)]
    assert bytes_of(file.blob) == BYTES


def test_every_commit_outlives_a_power_loss(disk: Disk, tmp_path: Path) -> None:
    archive = Archive.open(disk.top / "new" / "archive", create=True)
    for number in range(6):
        archived(archive, run_named(f"r{number}"), chunks(number + 1))
        restored = disk.after_power_loss(tmp_path / f"restored{number}")
        for earlier in range(number + 1):
            check_whole(restored, f"r{earlier}", earlier + 1)
    archived(archive, run_named("r0"), chunks(9), after=archive.record(run_named("r0").uid))
    check_whole(disk.after_power_loss(tmp_path / "grown"), "r0", 10)


def test_a_commit_outlives_a_power_loss_in_folders_that_others_made(
    disk: Disk, tmp_path: Path
) -> None:
    archive = Archive.open(disk.top / "new" / "archive", create=True)
    run, other = run_named("r"), run_named("other")
    disk.is_broken = True  # processes that are killed, or have not come to it yet
    archived(Archive.open(archive.path), other, chunks(1))
    run_folder(archive.path, run.uid).mkdir(parents=True)
    commit_path(archive.path, run.uid).parent.mkdir(parents=True, exist_ok=True)
    (blob,) = (path for path in (archive.path / "blobs").rglob("*") if path.is_file())
    disk.is_broken = False
    disk.sync(blob)  # before it was given its name
    archived(archive, run, chunks(3))
    check_whole(disk.after_power_loss(tmp_path / "restored"), "r", 3)


def test_a_found_archive_outlives_a_power_loss_whoever_made_it(disk: Disk, tmp_path: Path) -> None:
    place = disk.top / "new" / "archive"
    place.parent.mkdir()
    disk.sync(disk.top)
    disk.is_broken = True
    Archive.open(place, create=True)
    disk.is_broken = False
    disk.sync(place / "archive.json")  # before it was given its name
    archived(Archive.open(place, create=True), run_named("r"), chunks(3))
    check_whole(disk.after_power_loss(tmp_path / "restored"), "r", 3)


def test_an_appended_chunk_outlives_a_power_loss(disk: Disk, tmp_path: Path) -> None:
    place, run = disk.top / "new" / "archive", run_named("r")
    writer = ArchiveWriter.open(Location("archive", str(place)))
    remote = writer.create(run, run.uid)
    for number, chunk in enumerate(chunks(3)):
        writer.append(remote, number, chunk)
    restored = disk.after_power_loss(tmp_path / "restored")
    ArchiveWriter(restored).seal(remote, run)
    check_whole(restored, "r", 3)


def test_a_run_more_costs_few_syncs(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = Archive.open(disk.top / "new" / "archive", create=True)
    shelf = run_named("r0").uid[:2]
    alike = [name for n in range(3_000) if run_named(name := f"r{n}").uid[:2] == shelf]
    archived(archive, run_named(alike[0]), chunks(1))
    synced: list[Path] = []
    monkeypatch.setattr(durable, "_sync", synced.extend)
    archived(archive, run_named(alike[1]), chunks(1))
    named = sorted(path.name.split("-")[0].split(".json")[0] for path in synced)
    uid = run_named(alike[1]).uid
    assert named == sorted(["points", f"run={uid}", "data", f".{uid}", shelf])
