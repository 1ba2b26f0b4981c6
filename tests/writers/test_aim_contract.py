"""Repositories of Aim keep the laws of every writer."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from runferry.dialects.aim.own_store import logged_of
from runferry.dialects.aim.places import HOME, PARTS, STORE, chunk_at
from runferry.dialects.plain_folder.folders import Folders
from runferry.model import Uid
from runferry.ports import Location, RemoteId
from runferry.readers.aim import AimReader
from runferry.testing.samples import curve
from runferry.testing.writer_contract import WriterContract
from runferry.writers.aim import AimWriter


class TestAim(WriterContract):
    writer = AimWriter
    reader = AimReader

    @pytest.fixture
    def destination(self, tmp_path: Path, aim_repository: Path) -> Location:
        return Location("aim", str(shutil.copytree(aim_repository, tmp_path / "out")))

    def owned(self, destination: Location) -> tuple[Path, ...]:
        return (destination.path,)

    def unavailable(self, tmp_path: Path) -> Iterator[Location]:
        (tmp_path / "file").write_text("")
        yield Location("aim", str(tmp_path / "file" / "below"))

    def add_foreign(self, destination: Location) -> None:
        self.send(destination, curve(10, seed=5))  # by a push of somebody else

    def remove(self, destination: Location, remote: RemoteId) -> None:
        """As `aim runs rm` does."""
        home = destination.path / HOME
        folder = Folders(home / STORE).find(Uid(remote))
        assert folder is not None
        for part in PARTS:
            shutil.rmtree(chunk_at(home, part, logged_of(folder).run_hash))
