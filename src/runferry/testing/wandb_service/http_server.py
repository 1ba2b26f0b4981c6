"""HTTP on the loopback: connections, bodies, ranges, and faults on their way."""

from __future__ import annotations

import gzip
import json
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runferry.testing.wandb_service.faults import Faults, Trouble

if TYPE_CHECKING:
    from collections.abc import Mapping
    from email.message import Message
    from io import BufferedIOBase

BLOCK = 1 << 16


class Body:
    """The body of a request, read from its connection block by block."""

    def __init__(self, source: BufferedIOBase, length: int, faults: Faults) -> None:
        self.length = length
        self.left = length
        self._source = source
        self._faults = faults

    def blocks(self) -> Iterator[bytes]:
        """What is left of it; it ends early where the client went away."""
        while self.left and (block := self._source.read(min(self.left, BLOCK))):
            self._faults.pass_bytes(len(block))
            self.left -= len(block)
            yield block

    def skip(self) -> None:
        """Read what a refusal left unread: it would be taken for the next request."""
        deque(self.blocks(), maxlen=0)


@dataclass(frozen=True)
class Request:
    """What was asked."""

    method: str
    target: str
    headers: Message
    body: Body

    def read(self) -> bytes:
        """The whole body, unzipped where it says that it is zipped."""
        content = b"".join(self.body.blocks())
        return (
            gzip.decompress(content) if self.headers.get("Content-Encoding") == "gzip" else content
        )


@dataclass(frozen=True)
class Answer:
    """What is answered: bytes, or a file of which a Range may be asked."""

    status: int = HTTPStatus.OK
    body: bytes = b""
    kind: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    file: Path | None = None


def as_json(value: Any, status: int = HTTPStatus.OK) -> Answer:
    """An answer in JSON."""
    return Answer(status, json.dumps(value).encode())


class BrokenError(Exception):
    """The connection is to end without an answer."""


class Server(ThreadingHTTPServer):
    """One thread a connection; closing it ends the open connections too, as a crash does."""

    daemon_threads = True
    request_queue_size = 256
    allow_reuse_address = True

    def __init__(
        self,
        port: int,
        faults: Faults,
        respond: Callable[[Request], tuple[Answer, Trouble | None]],
    ) -> None:
        self.faults = faults
        self.respond = respond
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        """A connection, without the pause that gathers small packets."""
        connection, address = super().get_request()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._guard:
            self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        """A connection ended."""
        with self._guard:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error here; anything else is told."""
        import sys

        if not isinstance(sys.exc_info()[1], ConnectionError | BrokenPipeError | ValueError):
            super().handle_error(request, client_address)

    def end_connections(self) -> None:
        """Reset every open connection."""
        with self._guard:
            connections = list(self._open)
        for connection in connections:
            reset(connection)


def reset(connection: socket.socket) -> None:
    """End a connection as a process that died does: with RST, and without what was unsent."""
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it had ended


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    server: Server

    def do_GET(self) -> None:
        self._answer()

    do_HEAD = do_POST = do_PUT = do_GET  # noqa: N815

    def version_string(self) -> str:
        return "stand-in"

    def log_message(self, format: str, *args: object) -> None:
        """Requests are counted, not logged."""

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = Body(self.rfile, length, self.server.faults)
        request = Request(self.command, self.path, self.headers, body)
        try:
            answer, trouble = self.server.respond(request)
            body.skip()
        except BrokenError:
            self.close_connection = True
            reset(self.connection)
            return
        self._send(answer, is_cut=trouble is not None and trouble.kind == "cut")
        self.wfile.flush()

    def _send(self, answer: Answer, *, is_cut: bool) -> None:
        size = len(answer.body) if answer.file is None else answer.file.stat().st_size
        start, end, status = 0, size, answer.status
        headers = dict(answer.headers)
        if answer.file is not None:
            headers["Accept-Ranges"] = "bytes"
            if wanted := _range(self.headers.get("Range"), size):
                start, end = wanted
                status = HTTPStatus.PARTIAL_CONTENT
                headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        self.send_response(status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(end - start))
        if "Transfer-Encoding" in self.headers:  # a body of unknown length, which nobody read
            headers["Connection"] = "close"
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if is_cut:
            end = start + (end - start) // 2
        if answer.file is None:
            self._write(answer.body[start:end])
        else:
            self._write_file(answer.file, start, end)
        if is_cut:
            self.wfile.flush()
            self.close_connection = True

    def _write_file(self, path: Path, start: int, end: int) -> None:
        with path.open("rb") as file:
            file.seek(start)
            while start < end:
                block = file.read(min(BLOCK, end - start))
                self._write(block)
                start += len(block)

    def _write(self, content: bytes) -> None:
        for at in range(0, len(content), BLOCK):
            block = content[at : at + BLOCK]
            self.server.faults.pass_bytes(len(block))
            self.wfile.write(block)


def _range(header: str | None, size: int) -> tuple[int, int] | None:
    """`bytes=FIRST-LAST`, `bytes=FIRST-` or `bytes=-COUNT` as start and end; None: all of it."""
    unit, _, span = (header or "").partition("=")
    if unit != "bytes" or "," in span or not size:
        return None
    first, _, last = span.partition("-")
    if not first:
        return max(size - int(last), 0), size
    start, end = int(first), min(int(last) + 1 if last else size, size)
    return (start, end) if start < end else None
