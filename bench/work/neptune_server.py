"""Neptune in this process: the vendor's in-memory backend, made to remember, behind a slow line.

Neptune's service is closed and cannot be run here. What is real: the vendor's client (1.14) with
its threads, its queues on the disk and its batches. What is simulated: the server. Each method that
the hosted backend answers by a request takes one round trip here; operations take one a batch, and
each upload one more for every package or part that the hosted backend would send; the bytes of
files, of packed sets and of operations as JSON pass the line. The six requests with which a client
begins (two tokens and settings, descriptions of the API) are taken once a process, as it caches
them.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import threading
import uuid
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any

import neptune.management
from neptune.common.storage.datastream import compress_to_tar_gz_in_memory
from neptune.common.storage.storage_utils import AttributeUploadConfiguration, split_upload_files
from neptune.exceptions import MetadataInconsistency, ProjectNotFound, RunNotFound
from neptune.internal.backends.api_model import (
    ApiExperiment,
    AttributeType,
    AttributeWithProperties,
    FloatPointValue,
    FloatSeriesValues,
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
    DeleteAttribute,
    LogFloats,
    LogStrings,
    UploadFile,
    UploadFileSet,
)
from neptune.metadata_containers import metadata_container
from neptune.types import String
from neptune_line import Line

PART = 5 << 20  # bytes: of a part of an upload, and of a package of files
BEGINNING = 6  # requests
ROW_BYTES = 60  # of a value of a series in JSON
TABLE_PAGE = 100
ONE_REQUEST = (
    "get_project", "create_run", "get_metadata_container", "get_attributes", "get_file_attribute",
    "get_float_attribute", "get_int_attribute", "get_bool_attribute", "get_string_attribute",
    "get_datetime_attribute", "get_string_set_attribute", "get_float_series_attribute",
    "get_string_series_attribute", "fetch_atom_attribute_values",
)  # fmt: skip


@dataclass
class Server:
    """What outlives a connection; files lie in `folder`."""

    folder: Path
    line: Line = field(default_factory=Line)
    projects: dict[str, UniqueId] = field(default_factory=dict)
    made: dict[tuple[str, str], ApiExperiment] = field(default_factory=dict)
    custom: dict[tuple[str, str], ApiExperiment] = field(default_factory=dict)
    containers: dict[Any, Any] = field(default_factory=dict)
    series: dict[tuple[str, str], list[tuple[float, float, Any]]] = field(default_factory=dict)
    files: dict[tuple[str, str], dict[str, Path]] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)
    is_begun: bool = False

    def install(self) -> None:
        """Be the server of the client in this process."""
        metadata_container.get_backend = lambda **_: Backend(self)
        neptune.management.get_project_list = self._listed
        neptune.management.create_project = self._create

    def begin(self) -> None:
        """What a client asks first, once a process."""
        with self.lock:
            if not self.is_begun:
                self.is_begun = True
                self.line.request(count=BEGINNING)

    def add(self, project: str) -> UniqueId:
        """A project."""
        with self.lock:
            return self.projects.setdefault(project, UniqueId(str(uuid.uuid4())))

    def _listed(self) -> list[str]:
        self.begin()
        self.line.request()
        return list(self.projects)

    def _create(self, *, workspace: str, name: str, **_: object) -> None:
        self.begin()
        self.line.request()
        self.add(f"{workspace}/{name}")

    def keep(self, path: Path) -> Path:
        """The bytes of a file, under a name of ours; a link, since the disk is the client's."""
        kept = self.folder / uuid.uuid4().hex
        try:
            os.link(path, kept)
        except OSError:  # another file system
            shutil.copyfile(path, kept)
        return kept

    def container(self, project: str, kind: ContainerType, sys_id: str) -> ApiExperiment:
        """A new run, model or version."""
        made = UniqueId(str(uuid.uuid4()))
        Backend(self)._create_container(made, kind, SysId(sys_id))
        workspace, name = project.split("/")
        one = ApiExperiment(made, kind, SysId(sys_id), workspace, name)
        self.made[project, sys_id] = one
        return one


class _Remembering(NeptuneBackendMock):
    """What the in-memory backend lacks, without the line."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self._server = server
        self._containers = server.containers

    def _name_of(self, project_id: str) -> str:
        return next(n for n, its in list(self._server.projects.items()) if its == project_id)

    def get_project(self, project_id: str) -> Project:
        if project_id not in self._server.projects:
            raise ProjectNotFound(project_id)
        workspace, name = project_id.split("/")
        container = self._server.projects[project_id]
        with self._server.lock:
            if (container, ContainerType.PROJECT) not in self._containers:
                self._create_container(container, ContainerType.PROJECT, SysId("PRO"))
        return Project(container, name, workspace, SysId("PRO"))

    def create_run(
        self, project_id: str, *_: object, custom_run_id: str | None = None, **__: object
    ) -> ApiExperiment:
        server, project = self._server, self._name_of(project_id)
        with server.lock:
            key = (project, custom_run_id or str(uuid.uuid4()))
            if key not in server.custom:
                made = server.container(project, ContainerType.RUN, f"PRO-{len(server.custom) + 1}")
                server.custom[key] = made
            return server.custom[key]

    def create_model(self, project_id: str, key: str) -> ApiExperiment:
        return self._server.container(self._name_of(project_id), ContainerType.MODEL, f"PRO-{key}")

    def create_model_version(self, project_id: str, model_id: UniqueId) -> ApiExperiment:
        server = self._server
        (model,) = (one for one in server.made.values() if one.id == model_id)
        number = sum(name.startswith(f"{model.sys_id}-") for _, name in server.made) + 1
        made = server.container(
            self._name_of(project_id), ContainerType.MODEL_VERSION, f"{model.sys_id}-{number}"
        )
        server.containers[made.id, made.type].set(["sys", "model_id"], String(str(model.sys_id)))
        return made

    def get_metadata_container(self, container_id: str, *_: object, **__: object) -> ApiExperiment:
        project, _, sys_id = container_id.rpartition("/")
        if (project, sys_id) not in self._server.made:
            raise RunNotFound(container_id)
        return self._server.made[project, sys_id]

    def _execute_operation(self, container: str, kind: Any, op: Any, storage: Any) -> None:
        server, path = self._server, (container, "/".join(op.path))
        if isinstance(op, LogFloats | LogStrings):
            rows = server.series.setdefault(path, [])
            last = rows[-1][0] if rows else -math.inf
            steps = [value.step for value in op.values]
            if steps != sorted(set(steps)) or steps[0] <= last:
                raise MetadataInconsistency(f"steps of {path[1]} do not rise")
            rows += [(value.step, value.ts, value.value) for value in op.values]
        elif isinstance(op, UploadFileSet):
            members = server.files.setdefault(path, {})
            for entry in get_unique_upload_entries(op.file_globs):
                members[entry.target_path] = server.keep(Path(entry.source))
        elif isinstance(op, UploadFile):
            server.files[path] = {"": server.keep(Path(op.get_absolute_path(storage)))}
        elif isinstance(op, DeleteAttribute):
            server.series.pop(path, None)
            server.files.pop(path, None)
        super()._execute_operation(container, kind, op, storage)


def _after_request(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def asked(self: Backend, *given: Any, **named: Any) -> Any:
        self._server.line.request()
        return method(self, *given, **named)

    return asked


class Backend(_Remembering):
    """The same behind the line."""

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        server.begin()

    def execute_operations(
        self,
        container_id: UniqueId,
        container_type: ContainerType,
        operations: Any,
        operation_storage: Any,
    ) -> Any:
        others = []
        for one in operations:
            if isinstance(one, UploadFile | UploadFileSet):
                self._send(one, operation_storage)
            else:
                others.append(one.to_dict())
        if others:
            self._server.line.request(up=len(json.dumps(others)))
        return super().execute_operations(
            container_id, container_type, operations, operation_storage
        )

    def _send(self, op: Any, storage: Any) -> None:
        """As the hosted backend sends: files in packages of 5 MiB, a larger one in parts."""
        if isinstance(op, UploadFile):
            self._send_file(Path(op.get_absolute_path(storage)))
            return
        if op.reset:
            self._server.line.request()
        entries = get_unique_upload_entries(op.file_globs)
        for package in split_upload_files(entries, AttributeUploadConfiguration(PART)):
            if package.len > 1:
                packed = compress_to_tar_gz_in_memory(package.items)
                self._server.line.request(up=len(packed))
            elif package.len:
                self._send_file(Path(package.items[0].source))

    def _send_file(self, path: Path) -> None:
        size = path.stat().st_size
        if size <= PART:
            self._server.line.request(up=len(path.read_bytes()))
            return
        self._server.line.request()
        with path.open("rb") as file:
            while part := file.read(PART):
                self._server.line.request(up=len(part))
        self._server.line.request()

    def download_file(
        self, container: str, kind: Any, path: list[str], destination: str, *_: object, **__: object
    ) -> None:
        source = self._server.files[container, "/".join(path)][""]
        self._server.line.request(down=source.stat().st_size)
        shutil.copyfile(source, destination)

    def download_file_set(
        self, container: str, kind: Any, path: list[str], destination: str, *_: object, **__: object
    ) -> None:
        with zipfile.ZipFile(destination, "w") as packed:
            for name, source in self._server.files[container, "/".join(path)].items():
                packed.write(source, name)
        self._server.line.request()  # the server packs it first
        self._server.line.request(down=Path(destination).stat().st_size)

    def _page(
        self, container: str, path: list[str], offset: int, limit: int, point: Callable[..., Any]
    ) -> tuple[int, list[Any]]:
        rows = self._server.series.get((container, "/".join(path)), [])
        page = [point(round(ts * 1000), step, value) for step, ts, value in rows[offset:][:limit]]
        self._server.line.request(down=ROW_BYTES * len(page))
        return len(rows), page

    def get_float_series_values(
        self, container: str, kind: Any, path: list[str], offset: int, limit: int
    ) -> FloatSeriesValues:
        return FloatSeriesValues(*self._page(container, path, offset, limit, FloatPointValue))

    def get_string_series_values(
        self, container: str, kind: Any, path: list[str], offset: int, limit: int
    ) -> StringSeriesValues:
        return StringSeriesValues(*self._page(container, path, offset, limit, StringPointValue))

    def search_leaderboard_entries(
        self, project_id: str, types: Any = None, query: Any = None, **__: object
    ) -> Iterator[LeaderboardEntry]:
        asked = str(query)
        model = re.search(r"sys/model_id[^\"]*\"([^\"]+)\"", asked)
        uid = re.search(r"runferry/uid[^\"]*= \"([^\"]+)\"", asked)
        project, found = self._name_of(project_id), []
        for (own, sys_id), one in list(self._server.made.items()):
            cells = self._containers[one.id, one.type]
            if own != project or (types and one.type not in types):
                continue
            if model and not sys_id.startswith(f"{model[1]}-"):
                continue
            ours = cells.get(["runferry", "uid"])
            if uid and (ours is None or ours.value != uid[1]):
                continue
            found.append(LeaderboardEntry(one.id, list(_cells(cells))))
        self._server.line.request(count=max(math.ceil(len(found) / TABLE_PAGE), 1))
        yield from found


for _name in ONE_REQUEST:
    setattr(Backend, _name, _after_request(getattr(Backend, _name)))


def _cells(container: Any) -> Iterator[AttributeWithProperties]:
    """The cells of a row: what is below `sys` and `runferry`."""
    kinds = {"Float": "FLOAT", "Boolean": "BOOL", "Integer": "INT", "String": "STRING"}
    for space in ("sys", "runferry"):
        for name, value in dict(container.get([space]) or {}).items():
            path, kind = f"{space}/{name}", type(value).__name__
            if kind == "StringSet":
                told = {"values": sorted(value.values)}
                yield AttributeWithProperties(path, AttributeType.STRING_SET, told)
            elif kind == "Datetime":
                text = value.value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
                yield AttributeWithProperties(path, AttributeType.DATETIME, {"value": text})
            elif kind in kinds:
                found = AttributeType[kinds[kind]]
                yield AttributeWithProperties(path, found, {"value": value.value})
