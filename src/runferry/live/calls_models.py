"""Models that MLflow logged, as calls tell of them: artifacts that a run produced."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from runferry.chunks import Artifact
from runferry.dialects.mlflow.artifacts import Entry
from runferry.dialects.mlflow.logged import LoggedModel
from runferry.live.calls_state import Call, texts
from runferry.model import Blob, Tree
from runferry.paths import blob_at


@dataclass(frozen=True, slots=True)
class CopiedFiles:
    """Files as they were when they were logged, by the names under which they were."""

    folder: Path
    names: dict[str, str]

    def walk(self) -> tuple[Entry, ...]:
        """All of them."""
        return tuple(Entry(path, None) for path in sorted(self.names))

    def blob(self, entry: Entry) -> Blob:
        """The bytes of one."""
        return blob_at(self.folder / self.names[entry.path])


def take(models: dict[str, Call], call: Call) -> str:
    """Note what a call says of a model; the id of that model."""
    model_id = str(call["model"])
    known = models.setdefault(model_id, {"tags": {}, "params": {}, "files": {}})
    for name, value in call.items():
        found = known.get(name)
        if isinstance(found, dict) and isinstance(value, dict):
            known[name] = {**found, **value}
        elif name not in ("op", "model") and value is not None:
            known[name] = value
    for key in _list(call.get("untag")):
        tags = known["tags"]
        if isinstance(tags, dict):
            tags.pop(str(key), None)
    return model_id


def artifact(model_id: str, told: Call, copies: Path) -> Artifact:
    """The model, with its files."""
    created, updated = told.get("created_ms"), told.get("updated_ms")
    model = LoggedModel(
        model_id,
        str(told.get("name") or model_id),
        str(told.get("status") or ""),
        str(told["model_type"]) if told.get("model_type") else None,
        created if isinstance(created, int) else None,
        updated if isinstance(updated, int) else None,
        tags=texts(told.get("tags")),
        params=texts(told.get("params")),
    )
    return model.artifact(CopiedFiles(copies, texts(told.get("files"))))


def _list(value: Tree) -> list[Tree]:
    return value if isinstance(value, list) else []
