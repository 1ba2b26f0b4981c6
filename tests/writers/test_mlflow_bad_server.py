"""A server that answers 500, 429 or nothing: a clear error with a hint, and a rerun completes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import httpx
import pytest

from runferry import settings
from runferry.archive.store import Archive
from runferry.errors import RunferryError
from runferry.ports import Location, ReadOptions
from runferry.readers.mlflow import MlflowReader
from runferry.testing.reference import ReferenceReader, record
from runferry.testing.samples import as_run, curve
from runferry.transfer.patience import Patience
from runferry.transfer.pull import pull
from runferry.transfer.push import push
from runferry.transfer.verify import verify_archive
from runferry.writers.mlflow import MlflowWriter

_HOP_BY_HOP = frozenset({"connection", "transfer-encoding", "content-encoding", "content-length"})


class Gate(ThreadingHTTPServer):
    """Stands before a real server; lets `good` requests through, then misbehaves in its `mode`."""

    daemon_threads = True
    behind: str
    mode: str = "fine"
    good: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def lets_through(self) -> bool:
        if self.mode == "fine":
            return True
        self.good -= 1
        return self.good >= 0


class _Door(BaseHTTPRequestHandler):
    server: Gate
    statuses: ClassVar[dict[str, int]] = {"500": 500, "429": 429}

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _any(self) -> None:
        body = self._body()
        if not self.server.lets_through():
            self.close_connection = True
            if self.server.mode in self.statuses:
                self.send_response(self.statuses[self.server.mode])
                self.send_header("content-length", "0")
                self.end_headers()
            return  # else nothing at all
        headers = {k: v for k, v in self.headers.items() if k.lower() not in _HOP_BY_HOP | {"host"}}
        url = f"{self.server.behind}{self.path}"
        answer = httpx.request(self.command, url, headers=headers, content=body, timeout=30)
        self.send_response(answer.status_code)
        for name, value in answer.headers.items():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("content-length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _any  # noqa: N815

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def gate(served: tuple[str, Path]) -> Iterator[Gate]:
    with Gate(("127.0.0.1", 0), _Door) as server:
        server.behind = served[0]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def impatient() -> Iterator[None]:
    before = settings.current()
    settings.install(replace(before, patience=0.4))
    yield
    settings.install(before)


@pytest.mark.parametrize("mode", ["500", "429", "nothing"])
@pytest.mark.parametrize("good", [0, 6])
def test_a_bad_server_is_said_to_be_and_a_rerun_completes(
    mode: str, good: int, gate: Gate, tmp_path: Path, impatient: None
) -> None:
    sample = as_run(curve(30, batch=10), f"bad-{mode}-{good}")
    source = record([sample], tmp_path / "source")
    archive = Archive.open(tmp_path / "archive", create=True, reserve=0)
    pull(source, archive, open_reader=lambda: ReferenceReader.open(source, ReadOptions()))
    where = Location("mlflow", gate.url)
    patience = Patience(seconds=0.4, first_pause=0.1)
    gate.mode, gate.good = mode, good
    hint = ""
    try:
        report = push(
            archive, where, open_writer=lambda: MlflowWriter.open(where), patience=patience
        )
        hint = report.failures[0].hint or ""
    except RunferryError as error:  # at the very first request, which is common to all runs
        hint = error.hint
    assert hint
    gate.mode = "fine"
    again = push(archive, where, open_writer=lambda: MlflowWriter.open(where), patience=patience)
    assert not again.failures, again.failures
    verified = verify_archive(
        archive,
        where,
        open_reader=lambda: MlflowReader.open(where, ReadOptions()),
        limits=MlflowWriter.limits,
    )
    assert verified.is_clean, verified
