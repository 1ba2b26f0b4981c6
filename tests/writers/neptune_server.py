"""A stand-in for a Neptune server: the vendor's own in-memory backend, which this lets remember.

By itself it forgets a run when its object is dropped, knows one project, has no ids of the user's,
no table of runs, and keeps of series only the values. Here they live as long as the server does.
As a server does, it takes steps that rise and tells the client of others by an error.
"""

from __future__ import annotations

import uuid
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from neptune.exceptions import MetadataInconsistency, ProjectNotFound, RunNotFound
from neptune.internal.backends.api_model import (
    ApiExperiment,
    AttributeType,
    AttributeWithProperties,
    LeaderboardEntry,
    Project,
)
from neptune.internal.backends.hosted_file_operations import get_unique_upload_entries
from neptune.internal.backends.neptune_backend_mock import NeptuneBackendMock
from neptune.internal.container_type import ContainerType
from neptune.internal.id_formats import SysId, UniqueId
from neptune.internal.operation import (
    DeleteAttribute,
    LogFloats,
    LogImages,
    LogStrings,
    UploadFile,
    UploadFileSet,
)

CELLS = {
    "sys/id": AttributeType.STRING,
    "runferry/uid": AttributeType.STRING,
    "runferry/header": AttributeType.STRING,
    "runferry/claim": AttributeType.STRING,
    "runferry/sealed": AttributeType.BOOL,
}


@dataclass
class Server:
    """What outlives a connection."""

    projects: dict[str, UniqueId] = field(default_factory=dict)
    made: list[dict[str, Any]] = field(default_factory=list)  # the calls of `create_project`
    runs: dict[tuple[str, str], ApiExperiment] = field(default_factory=dict)
    containers: dict[Any, Any] = field(default_factory=dict)
    series: dict[str, dict[str, list[tuple[float, float, Any]]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    files: dict[str, dict[str, dict[str, bytes]]] = field(
        default_factory=lambda: defaultdict(dict)
    )  # by container and attribute: the members of a set, or the one file under an empty name
    refused: list[str] = field(default_factory=list)
    operations: int = 0
    last_id: int = 0
    breaks_at: int | None = None  # the operation at which the connection is lost

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Be the server of the client in this process."""
        import neptune.management
        from neptune.metadata_containers import metadata_container

        monkeypatch.setattr(metadata_container, "get_backend", lambda **_: _Remembering(self))
        monkeypatch.setattr(neptune.management, "get_project_list", lambda: list(self.projects))
        monkeypatch.setattr(neptune.management, "create_project", self._create)

    def add(self, project: str) -> None:
        """A project."""
        self.projects[project] = UniqueId(str(uuid.uuid4()))

    def _create(self, **options: Any) -> None:
        self.made.append(options)
        self.add(f"{options['workspace']}/{options['name']}")

    def values(self, project: str, run_id: str) -> dict[str, Any]:
        """The attributes of a run, series with steps and times."""
        return self._values(self.runs[project, run_id].id, ContainerType.RUN)

    def project_values(self, project: str) -> dict[str, Any]:
        """The attributes of a project."""
        return self._values(self.projects[project], ContainerType.PROJECT)

    def _values(self, container: str, kind: ContainerType) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for path, value in _leaves((), self.containers[container, kind].get_structure()):
            found[path] = getattr(value, "value", getattr(value, "values", value))
        return found | {path: list(rows) for path, rows in self.series[container].items()}


def _leaves(path: tuple[str, ...], tree: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(tree, dict):
        for name, inner in tree.items():
            yield from _leaves((*path, name), inner)
    else:
        yield "/".join(path), tree


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

    def create_run(
        self, project_id: str, *_: object, custom_run_id: str | None = None, **__: object
    ) -> ApiExperiment:
        (project,) = (name for name, its in self._server.projects.items() if its == project_id)
        key = (project, custom_run_id or str(uuid.uuid4()))
        if key not in self._server.runs:
            workspace, name = project.split("/")
            self._server.last_id += 1
            sys_id = SysId(f"PRO-{self._server.last_id}")
            made = UniqueId(str(uuid.uuid4()))
            self._create_container(made, ContainerType.RUN, sys_id)
            self._server.runs[key] = ApiExperiment(made, ContainerType.RUN, sys_id, workspace, name)
        return self._server.runs[key]

    def _execute_operation(self, container: str, kind: Any, op: Any, storage: Any) -> None:
        self._server.operations += 1
        if self._server.operations == self._server.breaks_at:
            raise ConnectionError("the connection is lost")
        path = "/".join(op.path)
        rows = self._server.series[container]
        if isinstance(op, LogFloats | LogStrings | LogImages):
            last = rows[path][-1][0] if rows[path] else float("-inf")
            steps = [value.step for value in op.values]
            if steps != sorted(set(steps)) or steps[0] <= last:
                self._server.refused.append(path)
                raise MetadataInconsistency(f"steps of {path} do not rise")
            rows[path] += [(value.step, value.ts, value.value) for value in op.values]
        elif isinstance(op, UploadFileSet):
            members = self._server.files[container].setdefault(path, {})
            for entry in get_unique_upload_entries(op.file_globs):
                members[entry.target_path] = Path(entry.source).read_bytes()
        elif isinstance(op, UploadFile):
            content = Path(op.get_absolute_path(storage)).read_bytes()
            self._server.files[container][path] = {"": content}
        elif isinstance(op, DeleteAttribute):
            rows.pop(path, None)
            self._server.files[container].pop(path, None)
        super()._execute_operation(container, kind, op, storage)

    def get_metadata_container(self, container_id: str, *_: object, **__: object) -> ApiExperiment:
        project, _, sys_id = container_id.rpartition("/")
        for (name, _), run in self._server.runs.items():
            if (name, run.sys_id) == (project, sys_id):
                return run
        raise RunNotFound(container_id)

    def download_file(
        self, container: str, kind: Any, path: list[str], destination: str, *_: object, **__: object
    ) -> None:
        Path(destination).write_bytes(self._server.files[container]["/".join(path)][""])

    def download_file_set(
        self, container: str, kind: Any, path: list[str], destination: str, *_: object, **__: object
    ) -> None:
        with zipfile.ZipFile(destination, "w") as packed:
            for name, content in self._server.files[container]["/".join(path)].items():
                packed.writestr(name, content)

    def search_leaderboard_entries(
        self, project_id: str, *_: object, **__: object
    ) -> Iterator[LeaderboardEntry]:
        for (project, _), run in self._server.runs.items():
            if self._server.projects[project] != project_id:
                continue
            values = self._server.values(project, _)
            if "runferry/uid" in values:
                attributes = [
                    AttributeWithProperties(path, kind, {"value": values[path]})
                    for path, kind in CELLS.items()
                    if path in values
                ]
                yield LeaderboardEntry(run.id, attributes)
