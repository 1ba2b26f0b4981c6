"""What lies below a folder: exports, queues of the older clients, and files of neptune-scale.

Imported where files are looked for: a server needs none of the decoders.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from runferry.dialects.neptune.names import Container
from runferry.dialects.neptune.own_store import STORE, STORE_MARK
from runferry.dialects.plain_folder.layout import form_of
from runferry.model import Run
from runferry.paths import Folder, folders_below
from runferry.ports import ReadOptions
from runferry.readers.local_runs import LocalRun
from runferry.readers.neptune.export.parts import container_of, is_part, parts_below
from runferry.readers.neptune.export.reading import exported
from runferry.readers.neptune.own_export import own_exported
from runferry.readers.neptune.queue.containers import METADATA, UPLOADS, is_queue, queues_below
from runferry.readers.neptune.queue.reading import QueuedRun
from runferry.readers.neptune.scale.database import NAME, facts_of
from runferry.readers.neptune.scale.reading import scale_runs
from runferry.readers.plain_folder.own_folder import DamagedCopies

_BESIDE = {"files": "data", "model_files": "model_data"}
"""Folders of an export that hold files, with those that hold Parquet."""


def kinds_at(path: Path) -> Iterator[Container]:
    """What a file is of, or what lies below a folder, one after the other; cheap, and not all
    where one is enough."""
    if path.is_dir():
        yield from _kinds_below(path)
    elif is_part(path):
        yield container_of(path.parent)
    elif facts_of(path) is not None:
        yield "run"


def _kinds_below(root: Path) -> Iterator[Container]:
    for folder in folders_below(root):
        if NAME in folder.names and facts_of(folder.path / NAME) is not None:
            yield "run"
        if is_queue(folder.path, folder.names):
            yield from (queue.kind for queue in queues_below(folder.path))
        if any(name.endswith((".parquet", ".parquet.tmp")) for name in folder.names):
            yield from (parts.container for parts in parts_below(folder.path))


def kept_in(folder: Folder) -> set[str]:
    """Its folders with files that were exported beside Parquet, or bytes that a queue saved."""
    kept = {UPLOADS} & {*folder.names} if METADATA in folder.names else set[str]()
    for files, parts in _BESIDE.items():
        if {files, parts}.issubset(folder.names) and next(parts_below(folder.path / parts), None):
            kept.add(files)
    if STORE in folder.names and form_of(folder.path / STORE) == STORE_MARK:
        kept.add(STORE)
    return kept


def runs_below(
    root: Path, options: ReadOptions, *, is_of_runs: bool
) -> Iterator[tuple[Container, LocalRun]]:
    """All runs, models and versions; whoever reads runs (`is_of_runs`) gets back as one whatever
    was written to `neptune:`, models too."""
    ours: set[Path] = set()
    damaged = DamagedCopies()
    everybodys = list(exported(root, options.timezone))
    made = {path: run for run in everybodys for path in run.parts.paths}
    for own in own_exported(root, damaged):
        ours.update(own.sources)
        kind: Container = "run" if is_of_runs else _kind_of(own.run)
        yield kind, replace(own, made=made.get(own.sources[0]))
    for run in everybodys:
        if ours.isdisjoint(run.parts.paths):
            places = [path.resolve() for path in run.parts.paths]
            folders = [path.parent.parent for path in places[:1]]
            yield run.parts.container, damaged.told_by(run, *places, *folders)
    if root.is_dir():
        for queue in queues_below(root):
            yield queue.kind, QueuedRun(queue, options.timezone)
    for scale in scale_runs(root):
        yield "run", scale


def _kind_of(run: Run) -> Container:
    return run.kind if run.kind in ("model", "model_version") else "run"
