"""A run's wandb-metadata.json: the machine, and when the run began, which no question tells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, Final

from runferry.dialects.wandb.service import Service
from runferry.errors import Declined
from runferry.model import Tree
from runferry.readers.wandb.service.files import RunFiles, ServedFile
from runferry.readers.wandb.service.place import RunPlace
from runferry.readers.wandb.service.position import Position
from runferry.readers.wandb.trees import parse_json

METADATA: Final = "wandb-metadata.json"
_AT_MOST: Final = 16 << 20
_AT_ONCE: Final = 8


def metadata_file(files: RunFiles, node: Mapping[str, Any]) -> ServedFile | None:
    """The file, where the run has one that can be read as a whole."""
    file = files.first_of(node.get("files") or {}, METADATA)
    if file is None or (file.size or 0) > _AT_MOST or file.url is None:
        return None
    return file


def metadata_in(files: RunFiles, file: ServedFile) -> Tree:
    """What the file says, None where that is no mapping.

    Raises FileNotFoundError where it is gone, ValueError for what is no JSON.
    """
    found = parse_json(files.content(file).decode("utf-8", "replace"))
    return found if isinstance(found, dict) else None


def metadata_of_each(
    service: Service, entity: str, project: str, nodes: Iterable[Mapping[str, Any]]
) -> Iterator[Tree]:
    """Of each run that is listed with its first files, in the same order, asked for side by side.

    None where it says nothing; reading the run tells why.
    """

    def of(node: Mapping[str, Any]) -> Tree:
        place = RunPlace(entity, project, str(node.get("name", "")))
        files = RunFiles(service, place, Position())
        file = metadata_file(files, node)
        try:
            return None if file is None else metadata_in(files, file)
        except (FileNotFoundError, ValueError, Declined):
            return None

    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="metadata") as threads:
        coming = [threads.submit(copy_context().run, of, node) for node in nodes]
        yield from (each.result() for each in coming)
