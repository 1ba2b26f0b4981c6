"""Runs on a server keep the laws of every writer; a stand-in keeps what the client sends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("neptune", reason="neptune is not installed")

from runferry import settings
from runferry.ports import Location, RemoteId
from runferry.readers.neptune.reader import NeptuneReader
from runferry.testing.neptune_backend import NeptuneServer
from runferry.testing.samples import curve
from runferry.testing.writer_contract import WriterContract
from runferry.writers.neptune import NeptuneWriter


class TestNeptuneServer(WriterContract):
    writer = NeptuneWriter
    reader = NeptuneReader

    @pytest.fixture(autouse=True)
    def server(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
    ) -> Iterator[NeptuneServer]:
        settings.install(settings.Settings(neptune_mode="sync"))
        server = NeptuneServer(tmp_path_factory.mktemp("server"))
        server.install(monkeypatch.setattr)
        self._server = server
        yield server
        assert server.refused == []
        settings.install(None)

    @pytest.fixture
    def destination(self, server: NeptuneServer) -> Location:
        server.add("team/project")
        return Location("neptune", "team/project")

    def owned(self, destination: Location) -> tuple[Path, ...]:
        return ()

    def unavailable(self, tmp_path: Path) -> Iterator[Location]:
        yield Location("neptune", "a/b/c")

    def add_foreign(self, destination: Location) -> None:
        self.send(destination, curve(10, seed=5))  # by a push of somebody else

    def remove(self, destination: Location, remote: RemoteId) -> None:
        for key in list(self._server.runs):
            if self._server.values(*key)["runferry/uid"] == remote:
                self._server.remove(*key)
