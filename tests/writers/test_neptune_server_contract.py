"""Runs on a server keep the laws of every writer; a stand-in keeps what the client sends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("neptune", reason="neptune is not installed")

from neptune_server import Server  # noqa: E402

from runferry import settings  # noqa: E402
from runferry.ports import Location, RemoteId  # noqa: E402
from runferry.readers.neptune.own_server import OwnServerReader  # noqa: E402
from runferry.testing.samples import curve  # noqa: E402
from runferry.testing.writer_contract import WriterContract  # noqa: E402
from runferry.writers.neptune import NeptuneWriter  # noqa: E402


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
        for key, run in list(self._server.runs.items()):
            values = self._server.values(*key)
            if values["runferry/uid"] == remote:
                del self._server.runs[key]
