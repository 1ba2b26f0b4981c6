"""A stand-in for SwanLab's server: as much of it as `swanlab sync` (0.10.3) asks for.

It keeps what is sent, and refuses what it is told to. The vendor's own command is its judge.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from runferry.ports import Location
from runferry.testing.recording import Sample
from runferry.testing.writer_laws import numbered
from runferry.writers.swanlab import SwanlabWriter

_ROW = ("index", "data", "more")
LATER = "2099-01-01T00:00:00.000Z"
CLOUD = Location("swanlab", "team/proj")


@dataclass
class SwanlabService:
    """What arrived, and which requests are refused: a part of a path → status."""

    url: str = ""
    experiments: dict[str, dict[str, Any]] = field(default_factory=dict)
    columns: list[dict[str, Any]] = field(default_factory=list)
    metrics: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    profile: dict[str, Any] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    states: list[str] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)  # keys whose rows are taken, and not kept
    lost_rows: set[tuple[str, int]] = field(default_factory=set)  # the same of a key and a step
    cut: set[str] = field(default_factory=set)  # keys of media of which one item a row is kept
    exported: str = ""  # the table that was last asked for
    late: int = 0  # how often the rows that were taken are not seen yet

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """Status and JSON of one request below `/api`."""
        self.asked.append(f"{method} {path}")
        for part, status in self.refused.items():
            if part in path:
                return status, {"code": "refused", "message": "no"}
        if path == "/login/api_key":
            return 200, {"sid": "s", "expiredAt": LATER, "userInfo": {"username": "me"}}
        if match := re.fullmatch(r"/project/([^/]+)/([^/]+)", path):
            return 200, self._project(*match.groups())
        if match := re.fullmatch(r"/project/([^/]+)/([^/]+)/experiment", path):
            return self._experiment(body)
        if match := re.fullmatch(r"/project/[^/]+/[^/]+/runs/([^/]+)(/\w+)?", path):
            return self._of_run(match[1], match[2], body)
        if path.endswith("/columns"):
            self.columns += body if isinstance(body, list) else [body]
        elif path.startswith("/projects/") and path.endswith("/series"):
            self.columns += body["series"]
        elif path == "/house/metrics":
            kept = [
                {**one, "experimentId": body["experimentId"]}
                for one in body["metrics"]
                if one.get("key") not in self.lost
                and (one.get("key"), one.get("index")) not in self.lost_rows
            ]
            self.metrics.setdefault(body["type"], []).extend(kept)
        elif path == "/house/metrics/summaries":
            runs = [ref["experimentId"] for ref in body["experiments"]]
            return 200, {run_id: self._summaries(run_id) for run_id in runs}
        elif path.startswith("/house/metrics/summaries/"):
            return 200, self._summary()
        elif path == "/house/metrics/scalar/export":
            self.exported = self._export(body["columns"])
            return 200, {"cosKey": "exported"}
        elif path == "/files/presigned/get":
            return 200, {"urls": [f"{self.url}/exported" for _ in body["paths"]]}
        elif path == "/house/metrics/f_media":
            return 200, [self._media(one["experimentId"], one["key"]) for one in body["columns"]]
        elif path == "/resources/presigned/get" or path == "/resources/presigned/put":
            return 200, {"urls": [f"{self.url}/upload/{name}" for name in body["paths"]]}
        elif path.endswith("/files/prepare"):
            names = [one["path"] for one in body["files"]]
            return 200, {"urls": [f"{self.url}/upload/files/{name}" for name in names]}
        return 200, {}

    def _project(self, owner: str, name: str) -> dict[str, Any]:
        return {
            "cuid": "p1", "name": name, "path": f"/{owner}/{name}", "version": 2,
            "group": {"username": owner}, "_count": {"experiments": 0},
        }  # fmt: skip

    def _experiment(self, body: dict[str, Any]) -> tuple[int, Any]:
        known = self.experiments.get(body["cuid"])
        if known is not None:
            return 200, known
        made = {**body, "slug": body["cuid"], "createdAt": "2026-01-01T00:00:00.000Z"}
        self.experiments[body["cuid"]] = made
        return 201, made

    def _of_run(self, run_id: str, what: str | None, body: Any) -> tuple[int, Any]:
        if what == "/profile":
            self.profile.update(body)
        elif what == "/state":
            self.states.append(body["state"])
        return 200, self.experiments.get(run_id, {})

    def _summaries(self, run_id: str) -> dict[str, Any]:
        if self.late:
            self.late -= 1
            return {}
        rows: dict[str, list[tuple[int, float]]] = {}
        for one in self.metrics.get("scalar", ()):
            if one["experimentId"] == run_id and isinstance(one["data"], int | float):
                rows.setdefault(one["key"], []).append((one["index"], one["data"]))
        return {
            key: {
                "step": max(step for step, _ in found),
                "min": min(value for _, value in found),
                "max": max(value for _, value in found),
                "avg": sum(value for _, value in found) / len(found),
            }
            for key, found in rows.items()
        }

    def _export(self, columns: list[dict[str, Any]]) -> str:
        """A line a step; of each key its value and its time."""
        lines: dict[int, list[str]] = {}
        for at, column in enumerate(columns):
            for one in self.metrics.get("scalar", ()):
                if (one["experimentId"], one["key"]) == (column["experimentId"], column["key"]):
                    line = lines.setdefault(one["index"], ["", ""] * len(columns))
                    line[2 * at : 2 * at + 2] = str(one["data"]), "0"
        return "\n".join(["step", *(",".join([str(step), *lines[step]]) for step in sorted(lines))])

    def _media(self, run_id: str, key: str) -> dict[str, Any]:
        sent = self.metrics.get("media", ())
        rows = [one for one in sent if (one["experimentId"], one["key"]) == (run_id, key)]
        told = [{part: one[part] for part in _ROW} for one in rows]
        if key in self.cut:
            told = [{**one, "data": one["data"][:1]} for one in told]
        return {"key": key, "metrics": told}

    def _summary(self) -> dict[str, Any]:
        def last(kind: str) -> list[dict[str, Any]]:
            steps: dict[str, int] = {}
            for one in self.metrics.get(kind, ()):
                steps[one["key"]] = max(one["index"], steps.get(one["key"], 0))
            return [{"key": key, "step": step} for key, step in steps.items()]

        lines = [one["epoch"] for one in self.metrics.get("log", ())]
        log = [{"step": max(lines)}] if lines else []
        return {"scalar": last("scalar"), "media": last("media"), "log": log}


@contextmanager
def swanlab_service() -> Iterator[SwanlabService]:
    """A server on the loopback."""
    service = SwanlabService()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _handle(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = self.path.partition("?")[0]
            status: int = 200
            told: Any = {}
            with lock:
                if path == "/exported":
                    told = None
                elif path.startswith("/upload/"):
                    service.files[path.removeprefix("/upload/")] = content
                else:
                    body = json.loads(content) if content else None
                    status, told = service.answer(self.command, path.removeprefix("/api"), body)
            spelled = (json.dumps(told) if told is not None else service.exported).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(spelled)))
            self.end_headers()
            self.wfile.write(spelled)

        do_GET = do_POST = do_PUT = do_PATCH = _handle  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is printed."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        service.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield service
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def signed_in(home: Path) -> Iterator[SwanlabService]:
    """The same, to which the vendor's command goes of itself."""
    with swanlab_service() as service, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SWANLAB_API_HOST", service.url)
        patch.setenv("SWANLAB_API_KEY", "k" * 21)
        patch.setenv("SWANLAB_SAVE_DIR", str(home))
        yield service


def written(where: Location, sample: Sample, *, is_growing: bool = False) -> SwanlabWriter:
    if is_growing:
        writer = SwanlabWriter.open_growing(where, is_ending=False)
    else:
        writer = SwanlabWriter.open(where)
    remote = writer.create(sample.run, sample.run.uid)
    for number, chunk in numbered(sample):
        writer.append(remote, number, chunk)
    writer.seal(remote, sample.run)
    return writer
