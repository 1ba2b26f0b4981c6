"""Finds the queues of a container: one folder for each time that a process worked on it.

Sources: `operation_processors/utils.py` and `cli/utils.py` of neptune 1.14, and the layouts before:

    {async,offline,sync}/<type>__<id>__<pid>__<random>/data-1.log     1.x
    offline/<type>__<id>/data-1.log                                   0.10 and up
    async/<type>__<id>/exec-<n>-<time>/data-1.log                     0.10 and up
    async/<id>/exec-<n>-<time>/data-1.log, offline/<id>/data-1.log    0.9, runs only
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from runferry.dialects.json_trees import parse_json
from runferry.dialects.neptune.names import CONTAINERS, Container
from runferry.dialects.run_folder import Text, text_beside
from runferry.model import Tree
from runferry.paths import Folder, folders_below, looked_into, regular, spelled
from runferry.readers.finding import begins_with

METADATA: Final = "metadata.json"
UPLOADS: Final = "upload_path"
LOG: Final = re.compile(r"data-(\d{1,18})\.log")
_EXECUTION: Final = re.compile(r"exec-(\d{1,9})-(\d{4}-\d\d-\d\d)_(\d\d)\.(\d\d)\.(\d\d\.\d+)")
_FIRST: Final = b'{"obj"'
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Execution:
    """One queue: the operations that one process put into it."""

    folder: Path
    metadata: tuple[tuple[str, str], ...] = ()  # texts of metadata.json
    began: str = ""  # ISO 8601; without a zone it is the local time of that machine

    @property
    def logs(self) -> list[Path]:
        """Its logs in order of their first versions."""
        found = [(int(match[1]), name) for name in self._names if (match := LOG.fullmatch(name))]
        return [self.folder / name for _, name in sorted(found)]

    @property
    def _names(self) -> Collection[str]:
        return looked_into(self.folder).names


@dataclass(frozen=True, slots=True)
class Queue:
    """A container, and the queues that belong to it in the order in which they were begun."""

    kind: Container
    container_id: str
    executions: tuple[Execution, ...]


def queues_below(root: Path) -> Iterator[Queue]:
    """The containers at or below a folder, in the order in which they are met."""
    found: dict[tuple[Container, str], list[Execution]] = {}
    for folder in folders_below(root, _inner):
        if is_queue(folder.path, folder.names):
            named = _container(folder.path, texts := _metadata(folder.path))
            if named is None:
                _log.warning("%s is left out: no container is called so", folder.path)
                continue
            began = texts.get("createdAt") or _began(folder.path.name)
            execution = Execution(folder.path, tuple(texts.items()), began)
            found.setdefault(named, []).append(execution)
    for (kind, container_id), executions in found.items():
        executions.sort(key=lambda one: (one.began, one.folder.name))
        yield Queue(kind, container_id, tuple(executions))


def is_queue(folder: Path, names: Collection[str]) -> bool:
    """Whether a queue lies in a folder which has these names."""
    for name in names:
        if LOG.fullmatch(name) and begins_with(folder / name, _FIRST):
            return True
    return METADATA in names and UPLOADS in names and "containerType" in _metadata(folder)


def _inner(folder: Folder) -> Collection[str]:
    """What a queue keeps for itself is not looked into."""
    return (UPLOADS,) if UPLOADS in folder.names else ()


def _metadata(folder: Path) -> dict[str, str]:
    """The texts of metadata.json; none where it cannot be read, as the client takes it too."""
    if regular(folder / METADATA) is None:
        return {}
    text = text_beside(folder, METADATA, 1 << 20)
    try:
        found: Tree = parse_json(text.text) if isinstance(text, Text) else None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        _log.warning("%s cannot be read", folder / METADATA)
        return {}
    return {name: value for name, value in found.items() if isinstance(value, str)}


def _container(folder: Path, texts: dict[str, str]) -> tuple[Container, str] | None:
    """What metadata says of the container, or else the folder's name."""
    stated, container_id = texts.get("containerType"), texts.get("containerId")
    if not (stated and container_id):
        named = folder.parent if _EXECUTION.fullmatch(folder.name) else folder
        parts = spelled(named.name).split("__")
        stated, container_id = ("run", parts[0]) if len(parts) == 1 else (parts[0], parts[1])
    kind = next((one for one in CONTAINERS if one == stated), None)
    return None if kind is None or not container_id else (kind, container_id)


def _began(name: str) -> str:
    match = _EXECUTION.fullmatch(name)
    return f"{match[2]}T{match[3]}:{match[4]}:{match[5]}" if match else ""


def labels_of(queue: Queue) -> dict[str, Execution]:
    """The executions by names that are the same wherever `.neptune` lies."""
    found: dict[str, Execution] = {}
    for one in queue.executions:
        is_inner = one.folder.name.startswith("exec-")
        plain = label = spelled("/".join(one.folder.parts[-2:]) if is_inner else one.folder.name)
        copy = 1
        while label in found:
            copy += 1
            label = f"{plain}~{copy}"
        found[label] = one
    return found


def home_of(queue: Queue) -> Path:
    """The folder in which `.neptune` lies, where the client ran; else that of the container."""
    folder = queue.executions[0].folder.absolute()
    for parent in folder.parents:
        if parent.name == ".neptune":
            return parent.parent
    return folder
