"""What a task says besides its header: parameters, configurations, code, artifacts, models."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from runferry.chunks import Artifact, File
from runferry.dialects.clearml.header import IN_HEADER
from runferry.dialects.clearml.names import Task
from runferry.dialects.clearml.parameters import PROPERTIES, value_of
from runferry.dialects.json_trees import leaves
from runferry.model import ArtifactEntry, Attribute, Blob, KeyPath, Role, Tree

Located = Callable[[str, str | None], tuple[str, Blob, str | None]]
"""URI and media type → a name for the file, its bytes, and the URI where they are elsewhere."""

_APART: Final = (
    *IN_HEADER, "hyperparams", "configuration", "script", "execution", "models", "last_metrics",
    "offline_folder", "offline_output_models",
)  # fmt: skip
_MODEL: Final = "model"


def attributes_of(task: Task) -> tuple[Attribute, ...]:
    """All of a task but for its header, artifacts and models; empty values are left out."""
    found: dict[tuple[Role, KeyPath], Attribute] = {}
    for role, path, value in _values(task):
        found.setdefault((role, path), Attribute(path, role, value))
    return tuple(found.values())


def _values(task: Task) -> Iterator[tuple[Role, KeyPath, Tree]]:
    yield from _hyperparameters(_mapping(task.get("hyperparams")))
    execution = _mapping(task.get("execution"))
    for name, value in _mapping(execution.get("parameters")).items():  # of clients before 0.16
        yield "config", (str(name),), value
    for name, item in _mapping(task.get("configuration")).items():
        yield from _configuration(str(name), item)
    for path, value in leaves(_mapping(task.get("script"))):
        is_file = path in _IN_FILES and isinstance(value, str)
        if value not in ("", None, {}, []) and not is_file:
            yield "environment", ("script", *path), value
    for metric in _mapping(task.get("last_metrics")).values():
        for variant in _mapping(metric).values():
            said = _mapping(variant)
            if "metric" in said and "variant" in said:
                yield "summary", (str(said["metric"]), str(said["variant"])), said.get("value")
    rest = {name: value for name, value in task.items() if name not in _APART}
    rest["execution"] = {
        name: value for name, value in execution.items() if name not in ("artifacts", "parameters")
    }
    for path, value in leaves(rest):
        if value not in ("", None, {}, []):
            yield "other", path, value


def _hyperparameters(sections: Task) -> Iterator[tuple[Role, KeyPath, Tree]]:
    for section, items in sections.items():
        is_property = section == PROPERTIES
        for name, item in _mapping(items).items():
            path = (str(section), str(name))
            if not isinstance(item, dict):
                yield "config", path, item
                continue
            value = value_of(item.get("value"), item.get("type"), is_property=is_property)
            yield "other" if is_property else "config", path, value
            if item.get("description"):
                yield "other", ("hyperparams", *path, "description"), item["description"]


def _configuration(name: str, item: Tree) -> Iterator[tuple[Role, KeyPath, Tree]]:
    if not isinstance(item, dict):
        yield "config", ("configuration", name), item
        return
    yield "config", ("configuration", name), item.get("value")
    for field in ("type", "description"):
        if item.get(field):
            yield "other", ("configuration", name, field), item[field]


_IN_FILES: Final[dict[KeyPath, tuple[str, Any]]] = {
    ("diff",): ("script.diff", "source"),
    ("requirements", "pip"): ("requirements.txt", "requirements"),
    ("requirements", "conda"): ("requirements.conda.yaml", "requirements"),
}


def files_of(task: Task) -> Iterator[File]:
    """The code that is in no commit, and the packages that there were."""
    script = _mapping(task.get("script"))
    for path, (name, role) in _IN_FILES.items():
        value: Any = script
        for part in path:
            value = _mapping(value).get(part)
        if isinstance(value, str) and value:
            yield File(name, role, Blob.from_bytes(value.encode(), "text/plain"))


def artifacts_of(task: Task, located: Located) -> Iterator[Artifact]:
    """Artifacts, and the models that the task read and wrote."""
    listed = _mapping(task.get("execution")).get("artifacts")
    if isinstance(listed, dict):  # of clients before 0.13
        listed = list(listed.values())
    for item in listed if isinstance(listed, list) else []:
        if isinstance(item, dict):
            yield _artifact(item, located)
    for relation, models in _mapping(task.get("models")).items():
        for item in models if isinstance(models, list) else []:
            yield _linked_model(_mapping(item), is_input=relation == "input")
    outputs = task.get("offline_output_models")
    for item in outputs if isinstance(outputs, list) else []:
        yield _offline_model(_mapping(item), located)


def _artifact(item: Task, located: Located) -> Artifact:
    kind = _mapping(item.get("type_data")).get("content_type")
    said = ("key", "type", "mode", "uri", "hash")
    rest: dict[str, Tree] = {name: value for name, value in item.items() if name not in said}
    digest = item.get("hash") or None
    return Artifact(
        str(item.get("key")),
        str(item.get("type") or "custom"),
        "used" if item.get("mode") == "input" else "produced",
        metadata=rest or None,
        digest=None if digest is None else str(digest),
        entries=_entries(item.get("uri"), kind, located),
    )


def _entries(uri: Tree, kind: Tree, located: Located) -> tuple[ArtifactEntry, ...]:
    if not isinstance(uri, str) or not uri:
        return ()
    name, blob, reference = located(uri, kind if isinstance(kind, str) else None)
    return (ArtifactEntry(name, blob, reference),)


def _linked_model(item: Task, *, is_input: bool) -> Artifact:
    """A model that the server knows by an id; where its file lies it says elsewhere."""
    model = item.get("model")
    said = _mapping(model)
    found = said.get("id") if said else model
    uri = said.get("uri")
    return Artifact(
        str(item.get("name") or found),
        _MODEL,
        "used" if is_input else "produced",
        artifact_id=None if found is None else str(found),
        metadata=said or None,
        entries=(ArtifactEntry(_last(uri), Blob(), uri),) if isinstance(uri, str) else (),
    )


def _offline_model(item: Task, located: Located) -> Artifact:
    weights, first = _mapping(item.get("weights")), _mapping(item.get("init"))
    uri = weights.get("weights_filename") or weights.get("register_uri")
    name = weights.get("name") or first.get("name") or item.get("id")
    metadata: dict[str, Tree] = {key: value for key, value in item.items() if key != "id"}
    return Artifact(
        str(name),
        _MODEL,
        "produced",
        artifact_id=None if item.get("id") is None else str(item["id"]),
        metadata=metadata,
        entries=_entries(uri, None, located),
    )


def _last(uri: str) -> str:
    return uri.rstrip("/").rsplit("/", 1)[-1]


def _mapping(value: object) -> Task:
    return value if isinstance(value, dict) else {}
