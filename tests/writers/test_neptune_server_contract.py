"""Runs on a server keep the laws of every writer; a stand-in keeps what the client sends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("neptune", reason="neptune is not installed")

from neptune_server import Server

from runferry import settings
from runferry.ports import Location, RemoteId
from runferry.readers.neptune.own_server import OwnServerReader
from runferry.testing.samples import curve
from runferry.testing.writer_contract import WriterContract
from runferry.writers.neptune import NeptuneWriter


class TestNeptuneServer(WriterContract):
    writer = NeptuneWriter
    reader = OwnServerReader

    @pytest.fixture(autouse=True)
    def server(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
        settings.install(settings.Settings(neptune_mode="sync"))
        server = Server()
        server.install(monkeypatch)
        self._server = server
        yield server
        assert server.refused == []
        settings.install(None)

    @pytest.fixture
    def destination(self, server: Server) -> Location:
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
                del self._server.runs[key]
