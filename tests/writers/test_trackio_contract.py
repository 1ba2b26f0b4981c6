"""Projects of trackio keep the laws of every writer."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from runferry.dialects.plain_folder.folders import Folders
from runferry.dialects.trackio.own_store import logged_of
from runferry.dialects.trackio.places import Place
from runferry.model import Uid
from runferry.ports import Location, RemoteId
from runferry.readers.trackio import TrackioReader
from runferry.testing.samples import curve
from runferry.testing.writer_contract import WriterContract
from runferry.writers.trackio import TrackioWriter


class TestTrackio(WriterContract):
    writer = TrackioWriter
    reader = TrackioReader

    @pytest.fixture
    def destination(self, tmp_path: Path) -> Location:
        return Location("trackio", str(tmp_path / "out" / "project"))

    def owned(self, destination: Location) -> tuple[Path, ...]:
        return (Place.of(destination.where).folder,)

    def unavailable(self, tmp_path: Path) -> Iterator[Location]:
        (tmp_path / "file").write_text("")
        yield Location("trackio", str(tmp_path / "file" / "below"))
        (tmp_path / "mine").mkdir()
        with closing(sqlite3.connect(tmp_path / "mine" / "thesis.db")) as other:
            other.execute("CREATE TABLE chapters (page INTEGER)")
            other.commit()
        yield Location("trackio", str(tmp_path / "mine" / "thesis"))
        yield Location("trackio", str(tmp_path / "mine" / "a b"))

    def add_foreign(self, destination: Location) -> None:
        self.send(destination, curve(10, seed=5))  # by a push of somebody else

    def remove(self, destination: Location, remote: RemoteId) -> None:
        """As `trackio delete run` does."""
        place = Place.of(destination.where)
        folder = Folders(place.store).find(Uid(remote))
        assert folder is not None
        logged = logged_of(folder)
        with closing(sqlite3.connect(place.database)) as connection:
            for table in ("metrics", "system_metrics", "configs"):
                connection.execute(f"DELETE FROM {table} WHERE run_id = ?", (logged.run_id,))
            connection.commit()
