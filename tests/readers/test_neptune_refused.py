"""A server of Neptune's that says no, or nothing: told by what was asked for, no secret."""

from __future__ import annotations

from typing import Any

import pytest
from neptune_gathered import neptune_at
from neptune_serving import BEGAN, PROJECT, logging_to
from neptune_serving import server as server  # noqa: PLC0414  a fixture

from runferry.errors import AuthFailed, Declined, NotFound, SourceChanged, Unreachable
from runferry.model import Cursor
from runferry.testing.neptune_backend import NeptuneBackend, NeptuneServer


def test_without_a_token_it_says_what_to_export(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NEPTUNE_API_TOKEN", raising=False)
    with pytest.raises(AuthFailed) as caught:
        neptune_at(PROJECT)
    assert "NEPTUNE_API_TOKEN" in caught.value.hint
    assert "---" not in str(caught.value)


def test_a_wrong_token_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEPTUNE_API_TOKEN", "c2VjcmV0LXNlY3JldA==")
    with pytest.raises(AuthFailed) as caught:
        neptune_at(PROJECT)
    assert "c2VjcmV0" not in str(caught.value)


def test_an_unknown_project_is_told_by_name(server: NeptuneServer) -> None:
    with pytest.raises(NotFound) as caught:
        neptune_at("team/unknown")
    assert "team/unknown" in str(caught.value)


def test_a_lost_connection_is_no_empty_list(
    server: NeptuneServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from neptune.common.exceptions import NeptuneConnectionLostException

    def lost(*_: object, **__: object) -> None:
        raise NeptuneConnectionLostException(ConnectionError("gone"))

    with logging_to() as run:
        run["loss"].append(1.0, timestamp=BEGAN)
    reader = neptune_at(PROJECT)
    (listed,) = reader.runs()
    monkeypatch.setattr(NeptuneBackend, "get_float_series_values", lost)
    with pytest.raises(Unreachable):
        list(reader.read(listed))
    monkeypatch.setattr(NeptuneBackend, "search_leaderboard_entries", lost)
    with pytest.raises(Unreachable):
        neptune_at(PROJECT)


def test_a_cursor_of_another_reader_is_refused(server: NeptuneServer) -> None:
    with logging_to() as run:
        run["a"] = 1
    reader = neptune_at(PROJECT)
    (listed,) = reader.runs()
    with pytest.raises(SourceChanged):
        list(reader.read(listed, Cursor({"reader": "neptune queue", "series": {}, "files": []})))


def test_a_project_that_is_closed_to_us_fails_alone(
    server: NeptuneServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from neptune.common.exceptions import Forbidden

    for project in ("team/vision", *(f"team/p{number:02d}" for number in range(40))):
        server.add(project)
        with logging_to(project) as run:
            run["a"] = 1
    found = NeptuneBackend.get_project

    def get_project(self: NeptuneBackend, project_id: str) -> Any:
        if project_id == "team/p07":
            raise Forbidden
        return found(self, project_id)

    monkeypatch.setattr(NeptuneBackend, "get_project", get_project)
    reader = neptune_at("team")
    runs = list(reader.runs())
    closed = [run for run in runs if run.key.scope == "team/p07"]
    assert [run.key.scope for run in runs] == sorted(server.projects)
    assert closed[0].name == "project team/p07"
    with pytest.raises(Declined, match="does not accept the token here"):
        list(reader.read(closed[0]))
    with pytest.raises(AuthFailed):
        neptune_at("team/p07")
