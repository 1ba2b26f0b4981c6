"""A connection to the server: what the vendor's in-memory backend lacks."""

# ruff: noqa: D102  the methods are those of the vendor's `NeptuneBackend`

from __future__ import annotations

import base64
import math
import shutil
import uuid
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from neptune.exceptions import (
    MetadataContainerNotFound,
    MetadataInconsistency,
    ProjectNotFound,
)
from neptune.internal.artifacts.drivers import LocalArtifactDriver
from neptune.internal.artifacts.file_hasher import FileHasher
from neptune.internal.backends.api_model import (
    ApiExperiment,
    FloatPointValue,
    FloatSeriesValues,
    ImageSeriesValues,
    LeaderboardEntry,
    Project,
    StringPointValue,
    StringSeriesValues,
)
from neptune.internal.backends.hosted_file_operations import get_unique_upload_entries
from neptune.internal.backends.neptune_backend_mock import NeptuneBackendMock
from neptune.internal.container_type import ContainerType
from neptune.internal.id_formats import SysId, UniqueId
from neptune.internal.operation import (
    ClearFloatLog,
    ClearStringLog,
    DeleteAttribute,
    LogFloats,
    LogImages,
    LogStrings,
    TrackFilesToArtifact,
    UploadFile,
    UploadFileSet,
)
from neptune.types import String
from neptune.types.atoms.artifact import Artifact

from runferry.testing.neptune_backend.server import NeptuneServer, Row
from runferry.testing.neptune_backend.table import Conditions, cells

KEY = "PRO"
"""Of every project: what `sys/id` begins with."""


class NeptuneBackend(NeptuneBackendMock):  # type: ignore[misc]
    """The vendor's in-memory backend over a server that remembers.

    As a server does, it takes steps that rise, and tells the client of others by an error.
    """

    def __init__(self, server: NeptuneServer) -> None:
        super().__init__()
        self._server = server
        self._containers = server.containers

    # --- projects and containers

    def get_project(self, project_id: str) -> Project:
        if project_id not in self._server.projects:
            raise ProjectNotFound(project_id)
        workspace, name = project_id.split("/")
        container = self._server.projects[project_id]
        with self._server.lock:
            if (container, ContainerType.PROJECT) not in self._containers:
                self._create_container(container, ContainerType.PROJECT, SysId(KEY))
        return Project(container, name, workspace, SysId(KEY))

    def create_run(
        self, project_id: str, *_: object, custom_run_id: str | None = None, **__: object
    ) -> ApiExperiment:
        server = self._server
        with server.lock:
            key = (server.name_of(project_id), custom_run_id or str(uuid.uuid4()))
            if key not in server.runs:
                server.last_run += 1
                server.runs[key] = self._new(key[0], ContainerType.RUN, f"{KEY}-{server.last_run}")
            return server.runs[key]

    def create_model(self, project_id: str, key: str) -> ApiExperiment:
        return self._new(self._server.name_of(project_id), ContainerType.MODEL, f"{KEY}-{key}")

    def create_model_version(self, project_id: str, model_id: UniqueId) -> ApiExperiment:
        server, project = self._server, self._server.name_of(project_id)
        (model,) = (one for one in server.made.values() if one.id == model_id)
        begin = f"{model.sys_id}-"
        own = sum(of == project and sys_id.startswith(begin) for of, sys_id in server.made)
        made = self._new(project, ContainerType.MODEL_VERSION, f"{begin}{own + 1}")
        self._containers[made.id, made.type].set(["sys", "model_id"], String(str(model.sys_id)))
        return made

    def _new(self, project: str, kind: ContainerType, sys_id: str) -> ApiExperiment:
        made = self._server.new(project, kind, sys_id)
        self._create_container(made.id, kind, made.sys_id)
        return made

    def get_metadata_container(
        self, container_id: str, expected_container_type: ContainerType | None = None
    ) -> ApiExperiment:
        project, _, sys_id = container_id.rpartition("/")
        found = self._server.made.get((project, sys_id))
        if found is None or expected_container_type not in (None, found.type):
            raise MetadataContainerNotFound.of_container_type(expected_container_type, container_id)
        return found

    def search_leaderboard_entries(
        self,
        project_id: str,
        types: Iterable[ContainerType] | None = None,
        query: object = None,
        columns: Iterable[str] | None = None,
        **_: object,
    ) -> Iterator[LeaderboardEntry]:
        project, conditions = self._server.name_of(project_id), Conditions(query)
        wanted = None if columns is None else dict.fromkeys(("sys/id", *columns))
        for (own, _sys_id), one in list(self._server.made.items()):
            if own == project and (types is None or one.type in types):
                container = self._containers[one.id, one.type]
                if conditions.hold(container):
                    yield LeaderboardEntry(one.id, list(cells(container, wanted)))

    # --- operations

    def _execute_operation(self, container: str, kind: Any, op: Any, storage: Any) -> None:
        server, path = self._server, "/".join(op.path)
        server.operations += 1
        if server.operations == server.breaks_at:
            raise ConnectionError("the connection is lost")
        files = server.files[container]
        if isinstance(op, LogFloats | LogStrings | LogImages):
            self._log(container, path, op.values)
        elif isinstance(op, UploadFileSet):
            members = {} if op.reset else files.get(path, {})
            for entry in get_unique_upload_entries(op.file_globs):
                members[entry.target_path] = server.keep(Path(entry.source))
            files[path] = members
        elif isinstance(op, UploadFile):
            files[path] = {"": server.keep(Path(op.get_absolute_path(storage)))}
        elif isinstance(op, ClearFloatLog | ClearStringLog):
            server.series[container].pop(path, None)
        elif isinstance(op, DeleteAttribute):
            server.series[container].pop(path, None)
            files.pop(path, None)
        tracked = self._tracked(container, kind, op) if isinstance(op, TrackFilesToArtifact) else []
        if isinstance(op, LogFloats | LogStrings):
            op = type(op)(op.path, op.values[-1:])  # else the mock, too, keeps them all
        super()._execute_operation(container, kind, op, storage)
        if isinstance(op, TrackFilesToArtifact):
            artifact = Artifact(FileHasher.get_artifact_hash(tracked))
            server.tracked[artifact.hash] = tracked
            self._containers[container, kind].set(op.path, artifact)

    def _tracked(self, container: str, kind: Any, op: TrackFilesToArtifact) -> list[Any]:
        """What the artifact has, and the files that come to it, which are hashed first."""
        held = self._containers[container, kind].get(op.path)
        known = self._server.tracked[held.hash] if isinstance(held, Artifact) else []
        files = {file.file_path: file for file in known}
        for source, destination in op.entries:
            for file in LocalArtifactDriver.get_tracked_files(source, destination):
                files[file.file_path] = file
        return list(files.values())

    def _log(self, container: str, path: str, values: Iterable[Any]) -> None:
        """Values at the end of a series; one without a step follows the last."""
        rows: list[Row] = []
        known = self._server.series[container][path]
        last = known[-1][0] if known else -math.inf
        for value in values:
            step = value.step
            if step is None:
                step = 0.0 if last == -math.inf else last + 1
            if step <= last:
                self._server.refused.append(path)
                raise MetadataInconsistency(f"steps of {path} do not rise")
            rows.append((step, value.ts, value.value))
            last = step
        known += rows

    # --- series and files

    def get_float_series_values(self, *asked: Any) -> FloatSeriesValues:
        return FloatSeriesValues(*self._page(FloatPointValue, *asked))

    def get_string_series_values(self, *asked: Any) -> StringSeriesValues:
        return StringSeriesValues(*self._page(StringPointValue, *asked))

    def get_image_series_values(self, *asked: Any) -> ImageSeriesValues:
        return ImageSeriesValues(self._page(StringPointValue, *asked)[0])

    def _page(
        self,
        point: Callable[..., Any],
        container: str,
        kind: ContainerType,
        path: list[str],
        offset: int,
        limit: int,
    ) -> tuple[int, list[Any]]:
        self._server.pages += 1
        rows = self._server.series[container]["/".join(path)]
        page = rows[offset : offset + limit]
        return len(rows), [point(round(ts * 1000), step, value) for step, ts, value in page]

    def download_file_series_by_index(
        self, container: str, kind: Any, path: list[str], index: int, destination: str, bar: Any
    ) -> None:
        _, _, image = self._server.series[container]["/".join(path)][index]
        Path(destination, f"{index}.png").write_bytes(base64.b64decode(image.data))

    def list_artifact_files(self, project_id: str, artifact_hash: str) -> list[Any]:
        return self._server.tracked[artifact_hash]

    def download_file(
        self, container: str, kind: Any, path: list[str], destination: str, *_: object, **__: object
    ) -> None:
        shutil.copyfile(self._server.files[container]["/".join(path)][""], destination)

    def download_file_set(
        self, container: str, kind: Any, path: list[str], destination: str, *_: object, **__: object
    ) -> None:
        with zipfile.ZipFile(destination, "w") as packed:
            for name, kept in self._server.files[container]["/".join(path)].items():
                packed.write(kept, name)
