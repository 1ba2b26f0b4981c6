"""Models that MLflow 3 logs beside a run: their facts, and their files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from runferry.live.hooks.copies import Copies

Call = Callable[[Any, str, dict[str, object]], None]
"""Takes a store, the id of a run, and a call."""
After = Callable[[str, str, str, Callable[..., None]], None]


class MlflowModels:
    """Captures models that a run produced; one without a run is no matter of runs."""

    def __init__(self, call: Call, copies: Copies) -> None:
        self._call = call
        self._copies = copies
        self._runs: dict[str, str] = {}

    def of_store(self, after: After, module: str, store: str) -> None:
        """Patch a store's methods."""
        after(module, store, "create_logged_model", self._model)
        after(module, store, "finalize_logged_model", self._model)
        after(module, store, "set_logged_model_tags", self._model_tags)
        after(module, store, "delete_logged_model_tag", self._model_untagged)
        after(module, store, "log_logged_model_params", self._model_params)

    def of_client(self, after: After, module: str, client: str) -> None:
        """Patch a client's methods."""
        after(module, client, "log_model_artifact", self._model_file)
        after(module, client, "log_model_artifacts", self._model_files)

    def _model(self, store: Any, model: Any, *_: object, **__: object) -> None:
        if model.source_run_id:
            self._runs[model.model_id] = model.source_run_id
        told = {
            "name": model.name,
            "status": str(getattr(model.status, "value", model.status)),
            "model_type": model.model_type,
            "created_ms": model.creation_timestamp,
            "updated_ms": model.last_updated_timestamp,
            "tags": dict(model.tags),
            "params": dict(model.params),
        }
        self._of_model(store, model.model_id, told)

    def _model_tags(self, store: Any, result: object, model_id: str, tags: Any) -> None:
        self._of_model(store, model_id, {"tags": {tag.key: str(tag.value) for tag in tags}})

    def _model_untagged(self, store: Any, result: object, model_id: str, key: str) -> None:
        self._of_model(store, model_id, {"untag": [key]})

    def _model_params(self, store: Any, result: object, model_id: str, params: Any) -> None:
        told = {param.key: str(param.value) for param in params}
        self._of_model(store, model_id, {"params": told})

    def _model_file(
        self, client: Any, result: object, model_id: str, local_path: Any, artifact_path: Any = None
    ) -> None:
        path = Path(local_path)
        place = joined(artifact_path, path.name)
        self._of_model(client.store, model_id, {"files": {place: self._copies.of(path)}})

    def _model_files(
        self, client: Any, result: object, model_id: str, local_dir: Any, artifact_path: Any = None
    ) -> None:
        for path, place in files_below(Path(local_dir), artifact_path or ""):
            self._of_model(client.store, model_id, {"files": {place: self._copies.of(path)}})

    def _of_model(self, store: Any, model_id: str, told: dict[str, object]) -> None:
        run_id = self._runs.get(model_id)
        if run_id is not None:
            self._call(store, run_id, {"op": "model", "model": model_id, **told})


def files_below(folder: Path, below: str) -> Iterator[tuple[Path, str]]:
    """Each file of a folder, and where it goes."""
    for home, _, names in os.walk(folder):
        inner = Path(home).relative_to(folder).as_posix()
        for name in names:
            yield Path(home, name), joined(below, "" if inner == "." else inner, name)


def joined(*parts: str | None) -> str:
    """A place of artifacts."""
    return "/".join(part.strip("/") for part in parts if part)
