"""Reads one run: its log, what lies around it, and where it stopped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from runferry import _native, chunks
from runferry.dialects.json_trees import leaves
from runferry.dialects.run_folder import Beside, read_yaml
from runferry.dialects.swanlab.names import CONFIG, FILES, LOGS, MEDIA, METADATA, is_log_name
from runferry.losses import Fate, Loss
from runferry.model import Attribute, Cursor, RunKey
from runferry.ports import BATCH_ROWS
from runferry.readers.damage import Reports
from runferry.readers.missing import MissingBytes
from runferry.readers.run_folders.documents import json_mapping
from runferry.readers.run_folders.run_files import run_files
from runferry.readers.swanlab.facts import Facts
from runferry.readers.swanlab.position import Position
from runferry.readers.swanlab.rows import Rows

_MENDED = {"bad-utf8": (Fate.ROUNDED, "U+FFFD stands for what is no text")}
_READ = {f"{FILES}/{CONFIG}", f"{FILES}/{METADATA}"}
_SHAPE = {"value", "desc", "sort"}  # of an entry of config.yaml


class RunReading:
    """One pass over one run's `.swanlab` file, from its beginning or from a cursor."""

    def __init__(self, key: RunKey, log: Path, after: Cursor | None) -> None:
        self._key = key
        self._log = log
        self._home = log.parent
        self._position = Position() if after is None else Position.of(after.position)
        self._rows = Rows(
            self._position.facts, self._home, after.series if after is not None else ()
        )

    def read(self) -> Iterator[chunks.Chunk]:
        """All chunks; the last two are the header as known now, and a checkpoint."""
        position = self._position
        missing = MissingBytes()
        yield from missing.watched(self._records())
        yield from self._rows.restated()
        yield from missing.watched(files_of(self._home, position))
        yield from map(chunks.Lost, missing.losses())
        yield from ending(self._key, self._home, position)

    def _records(self) -> Iterator[chunks.Chunk]:
        position, path = self._position, self._log
        position.log.check(path)
        scanner = _native.SwanlabScanner(
            path,
            offset=position.log.offset,
            seq=position.seq,
            group=position.group,
            rows=BATCH_ROWS,
        )
        told = Reports(path.name, position.standing, _MENDED)
        while (batch := scanner.next()) is not None:
            yield from self._rows.of(batch, scanner.version)
            yield from told.losses(batch.damage, scanner.offset)
        is_over = bool(position.facts.header.get("complete"))
        yield from told.ending(scanner.offset, is_over=is_over)
        position.log.offset = scanner.offset
        position.log.sign(path)
        position.seq, position.group = scanner.seq, scanner.group


def files_of(home: Path, position: Position) -> Iterator[chunks.Chunk]:
    """The files of a run's folder that are neither its log nor read as something else.

    Media are named by their records.
    """

    def takes(name: str) -> bool:
        folder = name.partition("/")[0]
        return name not in _READ and not is_log_name(name) and folder not in (MEDIA, LOGS)

    yield from run_files(home, position.files, takes)


def ending(key: RunKey, home: Path, position: Position) -> Iterator[chunks.Chunk]:
    """Attributes, the header as it is known now, and the checkpoint."""
    losses: list[Loss] = []
    items = {(it.role, it.path): it for it in _attributes(home, position.facts, losses)}
    if items:
        yield chunks.Attributes(tuple(items.values()), is_whole=True)
    yield from position.standing.met(losses)
    yield from position.standing.ending()
    yield chunks.Header(position.facts.run(key))
    yield chunks.Checkpoint(position.tree())


def _attributes(home: Path, facts: Facts, losses: list[Loss]) -> Iterator[Attribute]:
    beside = Beside()
    read_yaml(beside, home / FILES, CONFIG, "config")
    losses += beside.losses
    yield from _plain_config(beside.attributes)
    metadata = json_mapping(home / FILES, METADATA, losses)
    for path, value in leaves(metadata):
        yield Attribute(path, "environment", value)
    about = metadata.get("swanlab")
    if isinstance(about, dict) and about.get("version"):
        facts.put(client=f"swanlab {about['version']!s}")
    runtime = metadata.get("runtime")
    host = runtime.get("hostname") if isinstance(runtime, dict) else metadata.get("hostname")
    facts.put(host=host)
    yield from facts.attributes()


def _plain_config(found: list[Attribute]) -> Iterator[Attribute]:
    """The values; an entry is {value, desc, sort}, of which `sort` is only their order."""
    for item in found:
        if item.role != "config":
            yield item
        elif len(item.path) > 1 and item.path[1] in _SHAPE:
            if item.path[1] == "value":
                yield Attribute((item.path[0], *item.path[2:]), "config", item.value)
            elif item.path[1] == "desc" and item.value:
                yield Attribute(("swanlab", "config", item.path[0], "desc"), "other", item.value)
        else:
            yield item
