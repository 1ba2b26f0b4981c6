"""One rule for what the client raises: real ones of a server on the loopback that says no."""

from __future__ import annotations

import base64
import json
import threading
import warnings
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the vendor's own imports
    pytest.importorskip("neptune", reason="no neptune; pip install 'runferry[test]'")
    from neptune import exceptions as known
    from neptune.common import exceptions as common
    from neptune.management import exceptions as managing

from runferry.dialects.neptune.client import client, in_our_words, open_run, to_read
from runferry.dialects.neptune.client_errors import as_ours
from runferry.errors import (
    AuthFailed,
    Declined,
    NotFound,
    Refused,
    RunferryError,
    Throttled,
    Unreachable,
)


class _Answers(BaseHTTPRequestHandler):
    status: ClassVar[int] = 500
    headers_sent: ClassVar[dict[str, str]] = {}

    def do_GET(self) -> None:
        self.send_response(self.status)
        for name, value in self.headers_sent.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[_Answers]]:
    """A server whose every answer is the same; the client gives up at once."""
    from neptune.common.backends import utils

    monkeypatch.setattr(utils, "retries_timeout", 0.5)
    answers = type("Answers", (_Answers,), {})
    with ThreadingHTTPServer(("127.0.0.1", 0), answers) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        set_token(monkeypatch, server.server_port)
        yield answers
        server.shutdown()
        thread.join()


def set_token(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    address = f"http://127.0.0.1:{port}"
    token = json.dumps({"api_address": address, "api_url": address})
    monkeypatch.setenv("NEPTUNE_API_TOKEN", base64.b64encode(token.encode()).decode())


def _read(neptune: ModuleType, folder: Path) -> None:
    with in_our_words("team/vision"):
        to_read(neptune, "team/vision")


def _write(neptune: ModuleType, folder: Path) -> None:
    open_run(neptune, "sync", "team/vision", "a", folder)


def _list(neptune: ModuleType, folder: Path) -> None:
    with in_our_words("team"):
        neptune.management.get_project_list()


WAYS = pytest.mark.parametrize("way", [_read, _write, _list])


def fault(way: Callable[[ModuleType, Path], None], folder: Path) -> RunferryError:
    with pytest.raises(RunferryError) as caught:
        way(client(), folder)
    return caught.value


@WAYS
@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, AuthFailed), (403, AuthFailed), (422, Declined), (500, Unreachable), (503, Unreachable)],
)
def test_a_no_of_the_server_is_the_same_whoever_asks(
    way: Callable[[ModuleType, Path], None],
    status: int,
    kind: type[RunferryError],
    service: type[_Answers],
    tmp_path: Path,
) -> None:
    service.status = status
    error = fault(way, tmp_path)
    assert type(error) is kind
    if isinstance(error, Declined):
        assert error.status == status
    else:
        assert "NEPTUNE_API_TOKEN" in error.hint


@WAYS
def test_a_limit_of_the_rate_tells_how_long_to_wait(
    way: Callable[[ModuleType, Path], None], service: type[_Answers], tmp_path: Path
) -> None:
    service.status, service.headers_sent = 429, {"Retry-After": "1"}
    error = fault(way, tmp_path)
    assert isinstance(error, Throttled)
    assert error.after == 1.0


@WAYS
def test_no_token_and_one_that_is_none_say_what_to_export(
    way: Callable[[ModuleType, Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NEPTUNE_API_TOKEN", raising=False)
    missing = fault(way, tmp_path)
    monkeypatch.setenv("NEPTUNE_API_TOKEN", "c2VjcmV0LXNlY3JldA==")
    wrong = fault(way, tmp_path)
    for error in (missing, wrong):
        assert isinstance(error, AuthFailed)
        assert error.hint.startswith("export NEPTUNE_API_TOKEN=")
        assert "c2VjcmV0" not in str(error)
    assert missing.what != wrong.what


@WAYS
def test_a_server_that_is_down_is_unreachable(
    way: Callable[[ModuleType, Path], None],
    service: type[_Answers],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_token(monkeypatch, 9)  # discard: nobody listens
    assert isinstance(fault(way, tmp_path), Unreachable)


@pytest.mark.parametrize(
    ("theirs", "hint"),
    [
        (known.ProjectNotFound("team/unknown"), "runferry ls neptune:team"),
        (known.ProjectNotFoundWithSuggestions("team/unknown"), "runferry ls neptune:team"),
        (known.RunNotFound("team/vision/RUN-7"), "runferry ls neptune:team/vision"),
        (managing.WorkspaceNotFound(workspace="team"), "runferry ls neptune:WORKSPACE"),
    ],
)
def test_what_is_not_there_is_not_found_and_the_hint_lists_what_is(
    theirs: Exception, hint: str
) -> None:
    error = as_ours(theirs, "team")
    assert isinstance(error, NotFound)
    assert error.hint == hint
    assert "\x1b" not in error.what
    assert "---" not in error.what
    assert "team" in error.where


@pytest.mark.parametrize(
    ("theirs", "kind"),
    [
        (known.MetadataInconsistency("steps do not rise"), Refused),
        (known.NeptuneStorageLimitException(), Refused),
        (managing.ProjectsLimitReached(), Declined),
        (common.NeptuneSSLVerificationError(), Declined),
    ],
)
def test_a_destination_refuses_and_a_service_declines(
    theirs: Exception, kind: type[RunferryError]
) -> None:
    assert type(as_ours(theirs, "team")) is kind


def test_a_fault_of_the_program_stays_one() -> None:
    assert as_ours(KeyError("x"), "team") is None
    with pytest.raises(KeyError), in_our_words("team"):
        raise KeyError("x")
