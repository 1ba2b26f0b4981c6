"""The stand-in's HTTP server: one port for the API, the web app's address and files."""

from __future__ import annotations

import base64
import json
import re
import secrets
import socket
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import unquote, urlsplit

from runferry.testing.clearml_server.actions import ACTIONS
from runferry.testing.clearml_server.store import Record, Refusal, Store

_CALL: Final = re.compile(r"/(?:v[\d.]+/)?([a-z_]+\.[a-z_]+)")
_VERSION: Final = "2.30"
_DAY: Final = 86_400


class ClearmlServer:
    """Use it as a context manager. `calls` is what was asked, in order; `trouble` may answer first.

    `trouble` takes the name of a call and gives an HTTP status to answer with, or None.
    """

    def __init__(self, port: int = 0) -> None:
        self.store = Store()
        self.access_key = secrets.token_hex(10).upper()
        self.secret_key = secrets.token_urlsafe(30)
        self.calls: list[str] = []
        self.trouble: Callable[[str], int | None] = lambda call: None
        self._tokens: set[str] = set()
        stand_in = self

        class Handler(_Handler):
            server_of = stand_in

        self._http = _Http(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """Of the API; files and the app have the same."""
        return f"http://127.0.0.1:{self._http.server_port}"

    def environment(self, home: Path) -> dict[str, str]:
        """Variables under which ClearML's client, and ours, talk to this server."""
        return {
            "CLEARML_API_HOST": self.url,
            "CLEARML_WEB_HOST": self.url,
            "CLEARML_FILES_HOST": self.url,
            "CLEARML_API_ACCESS_KEY": self.access_key,
            "CLEARML_API_SECRET_KEY": self.secret_key,
            "CLEARML_CONFIG_FILE": str(home / "clearml.conf"),
            "CLEARML_CACHE_DIR": str(home / "cache"),
        }

    def forget_tokens(self) -> None:
        """Every token expires."""
        self._tokens.clear()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.shutdown()
        self._http.server_close()

    # --- who asks

    def login(self, header: str) -> str:
        """A token for the keys, or for a token. Raises Refusal."""
        scheme, _, word = header.partition(" ")
        pair = f"{self.access_key}:{self.secret_key}"
        is_known = (
            base64.b64decode(word).decode() == pair if scheme == "Basic" else word in self._tokens
        )
        if not is_known:
            raise Refusal(401, 20, "Unauthorized (invalid credentials)")
        claims = {
            "exp": int(time.time()) + _DAY, "api_version": _VERSION, "server_version": "2.0.0",
            "feature_set": "basic", "env": "test", "identity": {"user": "user", "company": "here"},
        }  # fmt: skip
        parts = ({"alg": "HS256", "typ": "JWT"}, claims, secrets.token_hex(8))
        token = ".".join(
            base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
            for part in parts
        )
        self._tokens.add(token)
        return token

    def check(self, header: str) -> None:
        """Raises Refusal for a request without a good token."""
        if header.removeprefix("Bearer ") not in self._tokens:
            raise Refusal(401, 21, "Unauthorized (invalid token)")


class _Http(ThreadingHTTPServer):
    """One thread a connection; closing it ends the open connections too."""

    daemon_threads = True

    def __init__(self, *args: Any) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(*args)

    def get_request(self) -> tuple[socket.socket, Any]:
        """A connection."""
        connection, address = super().get_request()
        self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        """A connection ended."""
        self._open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """Nobody is answered any more."""
        super().server_close()
        for connection in tuple(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()


class _Handler(BaseHTTPRequestHandler):
    server_of: ClearmlServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes: the second waited for 40 ms

    def do_GET(self) -> None:
        self._answered()

    do_POST = do_PUT = do_HEAD = do_DELETE = do_GET  # noqa: N815  the base's names

    def log_message(self, format: str, *args: Any) -> None:
        """Not to stderr."""

    def _answered(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(size) if size else b""
        path = unquote(urlsplit(self.path).path)
        found = _CALL.fullmatch(path)
        name = found[1] if found else f"files:{self.command}"
        self.server_of.calls.append(name)
        status = self.server_of.trouble(name)
        header = self.headers.get("Authorization", "")
        try:
            if status is not None:
                raise Refusal(status, 0, "trouble")
            if found is None:
                self._file(path, body)
                return
            if name == "auth.login":
                data: Record = {"token": self.server_of.login(header)}
            else:
                self.server_of.check(header)
                data = self._done(name, body)
        except Refusal as refusal:
            self._said(refusal.code, _meta(name, refusal), {})
            return
        self._said(200, _meta(name, None), data)

    def _done(self, name: str, body: bytes) -> Record:
        store = self.server_of.store
        with store.lock:
            if name == "events.add_batch":
                added, wrong = store.add_events(map(json.loads, body.splitlines()))
                return {"added": added, "errors": sum(wrong.values()), "errors_info": wrong}
            action = ACTIONS.get(name)
            if action is None:
                raise Refusal(400, 0, f"the stand-in has no {name}")
            return action(store, json.loads(body) if body else {})

    def _file(self, path: str, body: bytes) -> None:
        self.server_of.check(self.headers.get("Authorization", ""))
        store = self.server_of.store
        if self.command in ("POST", "PUT"):
            for name, content in _parts(self.headers.get("Content-Type", ""), body):
                store.files["/" + name.lstrip("/")] = content
            self._send(200, b"{}", "application/json")
        elif path in store.files:
            self._send(200, store.files[path], "application/octet-stream")
        else:
            self._send(404, b"", "text/plain")

    def _said(self, status: int, meta: Record, data: Record) -> None:
        text = json.dumps({"meta": meta, "data": data}).encode()
        self._send(status, text, "application/json")

    def _send(self, status: int, content: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _meta(name: str, refusal: Refusal | None) -> Record:
    return {
        "id": uuid.uuid4().hex,
        "trx": uuid.uuid4().hex,
        "endpoint": {"name": name, "requested_version": _VERSION, "actual_version": "1.0"},
        "result_code": 200 if refusal is None else refusal.code,
        "result_subcode": 0 if refusal is None else refusal.subcode,
        "result_msg": "OK" if refusal is None else refusal.message,
        "error_stack": "",
        "error_data": {},
    }


def _parts(kind: str, body: bytes) -> list[tuple[str, bytes]]:
    """(name, content) of the files of a form."""
    boundary = re.search(r"boundary=([^;]+)", kind)
    if boundary is None:
        return []
    found = []
    for part in body.split(b"--" + boundary[1].strip('"').encode())[1:-1]:
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        name = re.search(r'filename="([^"]*)"', head.decode("utf-8", "replace"))
        if name is not None:
            found.append((unquote(name[1]), content.removesuffix(b"\r\n")))
    return found
