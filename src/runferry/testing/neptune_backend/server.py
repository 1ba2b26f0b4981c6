"""What outlives a connection: projects, their containers, series and files."""

from __future__ import annotations

import shutil
import threading
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import neptune.management
from neptune.internal.backends.api_model import ApiExperiment
from neptune.internal.container_type import ContainerType
from neptune.internal.id_formats import SysId, UniqueId
from neptune.metadata_containers import metadata_container
from neptune.types import File
from neptune.types.file_set import FileSet
from neptune.types.mode import Mode

if TYPE_CHECKING:
    from runferry.testing.neptune_backend.backend import NeptuneBackend

Row = tuple[float, float, Any]
"""A value of a series: step, time in seconds, value."""


class NeptuneServer:
    """The server of all clients in this process, once it is installed."""

    def __init__(self, folder: Path, projects: Iterable[str] = ()) -> None:
        """`folder` is where files lie; it is made."""
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.lock = threading.RLock()
        self.projects: dict[str, UniqueId] = {}
        self.creations: list[dict[str, Any]] = []
        """The calls of `create_project`."""
        self.runs: dict[tuple[str, str], ApiExperiment] = {}
        """By project and custom_run_id, or one of its own."""
        self.last_run = 0
        self.made: dict[tuple[str, str], ApiExperiment] = {}
        """Runs, models and versions by project and `sys/id`."""
        self.containers: dict[Any, Any] = {}
        """The vendor's trees of attributes, by id and type."""
        self.series: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
        """By id of a container and path."""
        self.files: dict[str, dict[str, dict[str, Path]]] = defaultdict(dict)
        """Members of a set, or the one file under an empty name; by id and path."""
        self.tracked: dict[str, list[Any]] = {}
        """Files of an artifact, by its hash."""
        self.refused: list[str] = []
        """Series of which values were refused."""
        self.pages = 0
        """How many pages of series were asked for."""
        self.operations = 0
        self.breaks_at: int | None = None
        """The operation at which the connection is lost."""
        for project in projects:
            self.add(project)

    def install(self, patch: Callable[[object, str, object], None] = setattr) -> None:
        """Be the server of the client in this process; `monkeypatch.setattr` undoes it.

        The mode `offline` asks no server, and stays what it is.
        """
        by_mode = metadata_container.get_backend

        def backend_of(mode: Mode, **options: Any) -> Any:
            return by_mode(mode=mode, **options) if mode is Mode.OFFLINE else self.backend()

        patch(metadata_container, "get_backend", backend_of)
        patch(neptune.management, "get_project_list", self.listed)
        patch(neptune.management, "create_project", self.create)

    def backend(self) -> NeptuneBackend:
        """A connection."""
        from runferry.testing.neptune_backend.backend import NeptuneBackend

        return NeptuneBackend(self)

    # --- projects and containers

    def add(self, project: str) -> UniqueId:
        """A project, `WORKSPACE/NAME`; its id."""
        with self.lock:
            return self.projects.setdefault(project, UniqueId(str(uuid.uuid4())))

    def listed(self) -> list[str]:
        """`neptune.management.get_project_list`."""
        return list(self.projects)

    def create(self, *, workspace: str, name: str, **options: Any) -> None:
        """`neptune.management.create_project`."""
        self.creations.append({"workspace": workspace, "name": name, **options})
        self.add(f"{workspace}/{name}")

    def name_of(self, project_id: str) -> str:
        """`WORKSPACE/NAME` of a project."""
        return next(name for name, its in list(self.projects.items()) if its == project_id)

    def new(self, project: str, kind: ContainerType, sys_id: str) -> ApiExperiment:
        """A run, model or version that the backend gives its attributes."""
        workspace, name = project.split("/")
        id_ = UniqueId(str(uuid.uuid4()))
        made = ApiExperiment(id_, kind, SysId(sys_id), workspace, name)
        self.made[project, sys_id] = made
        return made

    def remove(self, project: str, run_id: str) -> None:
        """A run, with all that it has."""
        run = self.runs.pop((project, run_id))
        del self.made[project, run.sys_id], self.containers[run.id, run.type]
        self.series.pop(run.id, None)
        self.files.pop(run.id, None)

    def keep(self, path: Path) -> Path:
        """The bytes of a file that is uploaded, as a file of the server."""
        return Path(shutil.copyfile(path, self.folder / uuid.uuid4().hex))

    # --- what it holds

    def values(self, project: str, run_id: str) -> dict[str, Any]:
        """The attributes of a run; series as rows, without files."""
        run = self.runs[project, run_id]
        return self._values(run.id, run.type)

    def project_values(self, project: str) -> dict[str, Any]:
        """The attributes of a project itself."""
        return self._values(self.projects[project], ContainerType.PROJECT)

    def contents(self, project: str, run_id: str) -> dict[str, dict[str, bytes]]:
        """The bytes of a run's files: by attribute, and the name in a set."""
        return {
            attribute: {name: path.read_bytes() for name, path in members.items()}
            for attribute, members in self.files[self.runs[project, run_id].id].items()
        }

    def _values(self, container: str, kind: ContainerType) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for path, value in leaves(self.containers[container, kind].get_structure()):
            if not isinstance(value, File | FileSet):
                found[path] = getattr(value, "value", getattr(value, "values", value))
        return found | {path: list(rows) for path, rows in self.series[container].items()}


def leaves(tree: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The attributes of a tree, by path."""
    for name, inner in tree.items():
        if isinstance(inner, dict):
            yield from leaves(inner, f"{prefix}{name}/")
        else:
            yield f"{prefix}{name}", inner
