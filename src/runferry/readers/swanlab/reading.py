"""Reads one run: its log, what lies around it, and where it stopped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from runferry import _native, chunks
from runferry.dialects.json_trees import leaves
from runferry.dialects.run_folder import Beside, read_yaml
from runferry.dialects.swanlab.names import CONFIG, FILES, LOGS, MEDIA, METADATA, is_log_name
from runferry.errors import SourceChanged
from runferry.losses import Fate, Loss
from runferry.model import Attribute, Cursor, RunKey, Tree
from runferry.paths import spelled
from runferry.ports import BATCH_ROWS
from runferry.readers.damage import Reports
from runferry.readers.declared import Declared
from runferry.readers.missing import MissingBytes
from runferry.readers.run_folders.documents import json_mapping
from runferry.readers.run_folders.run_files import run_files
from runferry.readers.standing_losses import StandingLosses
from runferry.readers.swanlab.facts import Facts
from runferry.readers.swanlab.position import LogPosition, Position
from runferry.readers.swanlab.rows import Rows

_MENDED = {"bad-utf8": (Fate.ROUNDED, "U+FFFD stands for what is no text")}
_READ = {f"{FILES}/{CONFIG}", f"{FILES}/{METADATA}"}
_SHAPE = {"value", "desc", "sort"}  # of an entry of config.yaml


class RunReading:
    """One pass over one run's `.swanlab` files, from its beginning or from a cursor."""

    def __init__(self, key: RunKey, logs: Sequence[Path], after: Cursor | None) -> None:
        self._key = key
        self._logs = logs
        self._position = Position() if after is None else Position.of(after.position)
        gone = self._position.logs.keys() - {log.parent.name for log in logs}
        if gone:
            raise SourceChanged(
                "a folder of this run that was read before is gone",
                where=str(logs[0].parent.parent / min(gone)),
                hint="pull it into a new archive, or bring the folder back",
            )
        known = after.series if after is not None else ()
        self._declared = Declared.after(known, self._position.facts.applied)

    def read(self) -> Iterator[chunks.Chunk]:
        """All chunks; the last two are the header as known now, and a checkpoint."""
        position = self._position
        missing = MissingBytes()
        for number, log in enumerate(self._logs):
            if number and log.parent.name not in position.logs:
                position.facts.resumed()
            at = position.logs.setdefault(log.parent.name, LogPosition())
            for chunk in missing.watched(self._of_log(log, at)):
                yield _of_resumed(chunk, log.parent) if number else chunk
        yield from map(chunks.Lost, missing.losses())
        homes = [log.parent for log in self._logs]
        yield from ending(self._key, homes, position)

    def _of_log(self, log: Path, at: LogPosition) -> Iterator[chunks.Chunk]:
        rows = Rows(self._position.facts, log.parent, self._declared)
        yield from self._records(log, at, rows)
        yield from rows.restated()
        yield from files_of(log.parent, at.files, self._position.standing)

    def _records(self, path: Path, at: LogPosition, rows: Rows) -> Iterator[chunks.Chunk]:
        position = self._position
        at.read.check(path)
        scanner = _native.SwanlabScanner(
            path, offset=at.read.offset, seq=position.seq, group=at.group, rows=BATCH_ROWS
        )
        told = Reports(path.name, position.standing, _MENDED)
        while (batch := scanner.next()) is not None:
            yield from rows.of(batch, scanner.version)
            yield from told.losses(batch.damage, scanner.offset)
        is_over = bool(position.facts.header.get("complete")) or path != self._logs[-1]
        yield from told.ending(scanner.offset, is_over=is_over)
        at.read.offset = scanner.offset
        at.read.sign(path)
        position.seq, at.group = scanner.seq, scanner.group


def _of_resumed(chunk: chunks.Chunk, home: Path) -> chunks.Chunk:
    """Files of a folder in which a run was resumed stand below its name: the first has its own."""
    if isinstance(chunk, chunks.File):
        return replace(chunk, path=f"{spelled(home.name)}/{chunk.path}")
    return chunk


def files_of(home: Path, seen: dict[str, Tree], standing: StandingLosses) -> Iterator[chunks.Chunk]:
    """The files of a run's folder that are neither its log nor read as something else.

    Media are named by their records. `swanlab.save` lays links to what it saves into `files/`.
    """

    def takes(name: str) -> bool:
        folder = name.partition("/")[0]
        return name not in _READ and not is_log_name(name) and folder not in (MEDIA, LOGS)

    for chunk in run_files(home, seen, takes, lambda name: name.startswith(f"{FILES}/")):
        if isinstance(chunk, chunks.Lost):  # each read meets it again
            yield from standing.met([chunk.loss])
        else:
            yield chunk


def ending(key: RunKey, homes: Iterable[Path], position: Position) -> Iterator[chunks.Chunk]:
    """Attributes, the header as it is known now, and the checkpoint.

    What a later folder says stands for what an earlier one did.
    """
    losses: list[Loss] = []
    found = (it for home in homes for it in _attributes(home, position.facts, losses))
    items = {(it.role, it.path): it for it in found}
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
    """The values in their order, which `sort` of an entry {value, desc, sort} says.

    The file itself is sorted by names.
    """
    place = {
        item.path[0]: item.value
        for item in found
        if item.path[1:] == ("sort",) and isinstance(item.value, int)
    }
    for item in sorted(found, key=lambda item: place.get(item.path[0], len(place))):
        if item.role != "config":
            yield item
        elif len(item.path) > 1 and item.path[1] in _SHAPE:
            if item.path[1] == "value":
                yield Attribute((item.path[0], *item.path[2:]), "config", item.value)
            elif item.path[1] == "desc" and item.value:
                yield Attribute(("swanlab", "config", item.path[0], "desc"), "other", item.value)
        else:
            yield item
