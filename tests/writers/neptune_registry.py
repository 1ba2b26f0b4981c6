"""A stand-in for a Neptune server that has models and versions, and takes runs.

Both are the vendor's in-memory backend: the models are those of the readers' tests, the runs go
where the writers' tests have them, and both are in the same projects.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from neptune.internal.backends.api_model import ApiExperiment
from neptune.internal.container_type import ContainerType
from neptune_server import Server, _Remembering
from tests.readers.neptune_served import Server as Models
from tests.readers.neptune_served import _Remembering as _RememberingModels


class Registry:
    """What outlives a connection."""

    def __init__(self, *projects: str) -> None:
        self.runs, self.models = Server(), Models()
        self.models.projects = self.runs.projects
        self.models.containers = self.runs.containers
        for project in projects:
            self.runs.add(project)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Be the server of the client in this process."""
        from neptune.metadata_containers import metadata_container

        self.runs.install(monkeypatch)
        monkeypatch.setattr(metadata_container, "get_backend", lambda **_: _Both(self))

    def values(self, project: str) -> dict[str, dict[str, Any]]:
        """The attributes of the runs of a project, by `sys/custom_run_id`."""
        ids = [run_id for name, run_id in self.runs.runs if name == project]
        return {run_id: self.runs.values(project, run_id) for run_id in ids}


class _Both(_Remembering):
    def __init__(self, registry: Registry) -> None:
        super().__init__(registry.runs)
        self._models = _RememberingModels(registry.models)
        self._made = registry.models.made

    def _is_model(self, container: str) -> bool:
        return any(one.id == container for one in self._made.values())

    def create_model(self, project_id: str, key: str) -> ApiExperiment:
        return self._models.create_model(project_id, key)

    def create_model_version(self, project_id: str, model_id: str) -> ApiExperiment:
        return self._models.create_model_version(project_id, model_id)

    def get_metadata_container(self, container_id: str, *args: Any, **more: Any) -> ApiExperiment:
        project, _, sys_id = container_id.rpartition("/")
        if (project, sys_id) in self._made:
            return self._models.get_metadata_container(container_id, *args, **more)
        return super().get_metadata_container(container_id, *args, **more)

    def _execute_operation(self, container: str, kind: Any, op: Any, storage: Any) -> None:
        if self._is_model(container):
            self._models._execute_operation(container, kind, op, storage)
        else:
            super()._execute_operation(container, kind, op, storage)

    def download_file(self, container: str, *args: Any, **more: Any) -> None:
        if self._is_model(container):
            self._models.download_file(container, *args, **more)
        else:
            super().download_file(container, *args, **more)

    def download_file_set(self, container: str, *args: Any, **more: Any) -> None:
        if self._is_model(container):
            self._models.download_file_set(container, *args, **more)
        else:
            super().download_file_set(container, *args, **more)

    def get_float_series_values(self, *args: Any, **more: Any) -> Any:
        return self._models.get_float_series_values(*args, **more)

    def get_string_series_values(self, *args: Any, **more: Any) -> Any:
        return self._models.get_string_series_values(*args, **more)

    def get_image_series_values(self, *args: Any, **more: Any) -> Any:
        return self._models.get_image_series_values(*args, **more)

    def list_artifact_files(self, *args: Any) -> Any:
        return self._models.list_artifact_files(*args)

    def download_file_series_by_index(self, *args: Any) -> None:
        self._models.download_file_series_by_index(*args)

    def search_leaderboard_entries(
        self, project_id: str, types: Any = None, query: Any = None, **more: Any
    ) -> Iterator[Any]:
        if types is None or ContainerType.RUN in types:
            return super().search_leaderboard_entries(project_id, **more)
        return self._models.search_leaderboard_entries(project_id, types, query, **more)
