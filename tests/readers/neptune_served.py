"""A server for the client 1.14 in this process: the vendor's in-memory backend, made to remember.

By itself it forgets a container when its object is dropped, has no tables, and keeps of series only
the values. Here containers live as long as the server, tables list them, and series have pages.
"""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from neptune.exceptions import ProjectNotFound, RunNotFound
from neptune.internal.artifacts.drivers import LocalArtifactDriver
from neptune.internal.backends.api_model import (
    ApiExperiment,
    AttributeType,
    AttributeWithProperties,
    FloatPointValue,
    FloatSeriesValues,
    ImageSeriesValues,
    LeaderboardEntry,
    Project,
    StringPointValue,
    StringSeriesValues,
)
from neptune.internal.backends.neptune_backend_mock import NeptuneBackendMock
from neptune.internal.container_type import ContainerType
from neptune.internal.id_formats import SysId, UniqueId
from neptune.internal.operation import (
    LogFloats,
    LogImages,
    LogStrings,
    TrackFilesToArtifact,
    UploadFile,
)

Rows = dict[tuple[str, str], list[tuple[Any, float, Any]]]


@dataclass
class Server:
    """What outlives a connection."""

    projects: dict[str, UniqueId] = field(default_factory=dict)
    made: dict[tuple[str, str], ApiExperiment] = field(default_factory=dict)
    containers: dict[Any, Any] = field(default_factory=dict)
    rows: Rows = field(default_factory=dict)  # (step, time in seconds, value)
    tracked: dict[str, list[Any]] = field(default_factory=dict)
    files: dict[tuple[str, str], bytes] = field(default_factory=dict)
    pages: int = 0

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Be the server of the client in this process."""
        import neptune.management
        from neptune.metadata_containers import metadata_container

        monkeypatch.setattr(metadata_container, "get_backend", lambda **_: _Remembering(self))
        monkeypatch.setattr(neptune.management, "get_project_list", lambda: list(self.projects))

    def add(self, project: str) -> None:
        self.projects[project] = UniqueId(str(uuid.uuid4()))


class _Remembering(NeptuneBackendMock):  # type: ignore[misc]
    def __init__(self, server: Server) -> None:
        super().__init__()
        self._server = server
        self._containers = server.containers

    def get_project(self, project_id: str) -> Project:
        if project_id not in self._server.projects:
            raise ProjectNotFound(project_id)
        workspace, name = project_id.split("/")
        container = self._server.projects[project_id]
        if (container, ContainerType.PROJECT) not in self._containers:
            self._create_container(container, ContainerType.PROJECT, SysId("PRO"))
        return Project(container, name, workspace, SysId("PRO"))

    def create_run(self, project_id: str, *_: object, **__: object) -> ApiExperiment:
        runs = [one for one in self._server.made.values() if one.type is ContainerType.RUN]
        return self._make(project_id, ContainerType.RUN, f"PRO-{len(runs) + 1}")

    def create_model(self, project_id: str, key: str) -> ApiExperiment:
        return self._make(project_id, ContainerType.MODEL, f"PRO-{key}")

    def create_model_version(self, project_id: str, model_id: str) -> ApiExperiment:
        (model,) = (one for one in self._server.made.values() if one.id == model_id)
        number = sum(name.startswith(f"{model.sys_id}-") for _, name in self._server.made) + 1
        made = self._make(project_id, ContainerType.MODEL_VERSION, f"{model.sys_id}-{number}")
        from neptune.types import String

        self._containers[made.id, made.type].set(["sys", "model_id"], String(str(model.sys_id)))
        return made

    def _make(self, project_id: str, kind: ContainerType, sys_id: str) -> ApiExperiment:
        (project,) = (name for name, its in self._server.projects.items() if its == project_id)
        workspace, name = project.split("/")
        container = UniqueId(str(uuid.uuid4()))
        self._create_container(container, kind, SysId(sys_id))
        made = ApiExperiment(container, kind, SysId(sys_id), workspace, name)
        self._server.made[project, sys_id] = made
        return made

    def get_metadata_container(self, container_id: str, *_: object, **__: object) -> ApiExperiment:
        project, _, sys_id = container_id.rpartition("/")
        if (project, sys_id) not in self._server.made:
            raise RunNotFound(container_id)
        return self._server.made[project, sys_id]

    def _execute_operation(self, container: str, kind: Any, op: Any, storage: Any) -> None:
        if isinstance(op, LogFloats | LogStrings | LogImages):
            rows = self._server.rows.setdefault((container, "/".join(op.path)), [])
            for one in op.values:
                step = rows[-1][0] + 1 if one.step is None and rows else one.step or 0.0
                rows.append((step, one.ts, one.value))
        if isinstance(op, UploadFile):
            content = Path(op.get_absolute_path(storage)).read_bytes()
            self._server.files[container, "/".join(op.path)] = content
        super()._execute_operation(container, kind, op, storage)
        if isinstance(op, TrackFilesToArtifact):
            found = [
                file
                for path, destination in op.entries
                for file in LocalArtifactDriver.get_tracked_files(path, destination)
            ]
            self._server.tracked[self._server.containers[container, kind].get(op.path).hash] = found

    def download_file(
        self, container: str, kind: Any, path: list[str], destination: str, *_: object, **__: object
    ) -> None:
        Path(destination).write_bytes(self._server.files[container, "/".join(path)])

    def list_artifact_files(self, project_id: str, artifact_hash: str) -> list[Any]:
        return self._server.tracked[artifact_hash]

    def _page(self, container: str, path: list[str], offset: int, limit: int) -> tuple[int, Any]:
        self._server.pages += 1
        rows = self._server.rows.get((container, "/".join(path)), [])
        return len(rows), rows[offset : offset + limit]

    def get_float_series_values(
        self, container: str, kind: Any, path: list[str], offset: int, limit: int
    ) -> FloatSeriesValues:
        total, rows = self._page(container, path, offset, limit)
        values = [FloatPointValue(round(ts * 1000), step, value) for step, ts, value in rows]
        return FloatSeriesValues(total, values)

    def get_string_series_values(
        self, container: str, kind: Any, path: list[str], offset: int, limit: int
    ) -> StringSeriesValues:
        total, rows = self._page(container, path, offset, limit)
        values = [StringPointValue(round(ts * 1000), step, value) for step, ts, value in rows]
        return StringSeriesValues(total, values)

    def get_image_series_values(
        self, container: str, kind: Any, path: list[str], offset: int, limit: int
    ) -> ImageSeriesValues:
        return ImageSeriesValues(self._page(container, path, offset, limit)[0])

    def download_file_series_by_index(
        self, container: str, kind: Any, path: list[str], index: int, destination: str, bar: Any
    ) -> None:
        _, ((_, _, value),) = self._page(container, path, index, 1)
        (Path(destination) / f"{index}.png").write_bytes(base64.b64decode(value.data))

    def search_leaderboard_entries(
        self, project_id: str, types: Any = None, query: Any = None, **__: object
    ) -> Iterator[LeaderboardEntry]:
        model = re.search(r"sys/model_id[^\"]*\"([^\"]+)\"", str(query))
        for (project, sys_id), one in self._server.made.items():
            own = self._server.projects[project] == project_id and one.type in types
            if own and (model is None or sys_id.startswith(f"{model[1]}-")):
                sys = self._containers[one.id, one.type].get(["sys"])
                yield LeaderboardEntry(one.id, list(_cells(sys)))


def _cells(sys: dict[str, Any]) -> Iterator[AttributeWithProperties]:
    for name, value in sys.items():
        kind = type(value).__name__
        if kind == "StringSet":
            told = {"values": sorted(value.values)}
            yield AttributeWithProperties(f"sys/{name}", AttributeType.STRING_SET, told)
        elif kind == "Datetime":
            text = value.value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            yield AttributeWithProperties(f"sys/{name}", AttributeType.DATETIME, {"value": text})
        else:
            types = {"Float": "FLOAT", "Boolean": "BOOL", "Integer": "INT"}
            found = AttributeType[types.get(kind, "STRING")]
            yield AttributeWithProperties(f"sys/{name}", found, {"value": value.value})
