"""The registry at its edges: one that is not there, one that breaks off, a push that is stopped."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from runferry.dialects.mlflow.logged import ModelMetric
from runferry.dialects.mlflow.points import LARGEST
from runferry.dialects.mlflow.registry import NativeModel, NativeVersion
from runferry.dialects.mlflow.served_registry import ServedRegistry
from runferry.dialects.mlflow.server import Server
from runferry.dialects.mlflow.tags import UID_TAG
from runferry.dialects.mlflow.vendor_registry import VendorRegistry
from runferry.errors import RunMissing
from runferry.model import Uid
from runferry.writers.mlflow.server_shelf import _metric


@contextmanager
def serving(answers: dict[str, dict[str, Any]]) -> Iterator[Server]:
    """A server that has these paths alone."""

    class Door(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = [body for path, body in answers.items() if path in self.path]
            content = json.dumps(found[0] if found else {"error_code": "RESOURCE_DOES_NOT_EXIST"})
            self.send_response(200 if found else 404)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Door) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield Server.at(f"http://127.0.0.1:{server.server_port}")
        finally:
            server.shutdown()
            thread.join()


def test_a_server_without_a_registry_has_no_models() -> None:
    with serving({}) as server:
        assert not list(ServedRegistry(server).models())
        assert not list(ServedRegistry(server).of_run(Uid("a" * 32)))


def test_a_listing_that_breaks_off_is_an_error_and_not_the_end() -> None:
    listed = {"registered_models": [{"name": "net"}, {"name": "other"}]}
    with serving({"registered-models/search": listed}) as server, pytest.raises(RunMissing):
        list(ServedRegistry(server).models())


def test_a_push_that_is_stopped_leaves_no_version_without_our_mark(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry, uid = VendorRegistry(f"sqlite:///{database}"), Uid("a" * 32)
    registry.create(NativeModel("net"))
    plain, removed = registry.remove, list[int]()

    def remove(name: str, version: int) -> None:
        if len(removed) == 2:
            raise KeyboardInterrupt
        removed.append(version)
        plain(name, version)

    monkeypatch.setattr(registry, "remove", remove)
    with pytest.raises(KeyboardInterrupt):
        registry.add("net", NativeVersion(5, "/w", tags={UID_TAG: str(uid), "of": "theirs"}))
    model = registry.model("net")
    assert model is not None
    assert removed == [1, 2]
    assert [(v.version, dict(v.tags)) for v in model.versions] == [(3, {UID_TAG: str(uid)})]
    assert [v.version for _, v in registry.of_run(uid)] == [3]


def test_an_infinite_metric_of_a_model_is_the_largest_number_of_json() -> None:
    values = (float("inf"), float("-inf"), float("nan"), 0.5)
    sent = [_metric("m-1", ModelMetric("acc", value, 1, 2, "r")) for value in values]
    found = [one["value"] for one in json.loads(json.dumps(sent, allow_nan=False))]
    assert found == [LARGEST, -LARGEST, "NaN", 0.5]
