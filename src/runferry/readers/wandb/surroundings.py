"""What lies around a run's records: loose files, the console log, the run's files, its sweep."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runferry import chunks
from runferry.losses import Fate, Loss
from runferry.model import Tree
from runferry.readers.wandb import trees
from runferry.readers.wandb.attributes import Assembly, loose_config, loose_json
from runferry.readers.wandb.console_log import log_chunks
from runferry.readers.wandb.facts import Facts
from runferry.readers.wandb.files import RunFiles
from runferry.readers.wandb.heads import Head
from runferry.readers.wandb.identity import Group
from runferry.readers.wandb.paths import inside, regular, spelled
from runferry.readers.wandb.position import Position

_OURS = {"control", "_info", "uuid"}  # of the client's own traffic, in every record
_MENDED = {"bad-utf8", "lone-surrogate"}  # the value was kept, nearly as it was


def damage(database: Path, offset: int, length: int, reason: str, *, is_over: bool = False) -> Loss:
    """What could not be read, by its place; a value that was mended is not gone.

    The record at the end of a file may still be being written, unless the file `is_over`.
    """
    where = f"{database.name}@{offset}"
    if reason in _MENDED:
        return Loss("bad-text", Fate.ROUNDED, where, 1, f"{reason}: U+FFFD stands in its place")
    if reason == "cut-tail" and is_over:
        detail = "the file ends inside a record, though its run had ended or went on elsewhere"
        return Loss("cut-tail", Fate.DROPPED, where, length, detail)
    if reason == "cut-tail":
        detail = "the file ends inside a record: it was cut, or is still being written"
        return Loss("cut-tail", Fate.KEPT, where, length, detail)
    return Loss("damaged-bytes", Fate.DROPPED, where, length, reason)


def rebased(head: Head, shift: int) -> Loss:
    """Says that the steps of a resumed file continue those before it."""
    detail = f"its steps begin at 0 again; {shift:,} was added, as W&B does when it resumes"
    return Loss("rebased-steps", Fate.REENCODED, head.place.label, 1, detail)


def plain(message: dict[str, Any]) -> dict[str, Tree]:
    """A message without what the client says to itself."""
    return {name: value for name, value in message.items() if name not in _OURS}


def raw(kind: str, offset: int, message: dict[str, Any]) -> chunks.Raw:
    """A record that nothing else can hold: its bytes, or its fields as JSON."""
    fields = list(message.values())
    content = fields[0] if len(fields) == 1 else None
    if not isinstance(content, bytes):
        content = json.dumps(message, default=_spelled).encode("utf-8", "surrogatepass")
    return chunks.Raw(kind, f"no place for a {kind} record at byte {offset}", content)


def _spelled(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


class Surroundings:
    """Reads what is around the records of one run; what was read before, only if it changed."""

    def __init__(
        self,
        group: Group,
        position: Position,
        facts: Facts,
        files: RunFiles,
        summary: dict[str, Tree],
    ) -> None:
        self._group = group
        self._position = position
        self._facts = facts
        self._files = files
        self._summary = summary

    def read(self) -> Iterator[chunks.Chunk]:
        """Chunks of all folders of the run, in order of time."""
        last = len(self._group.heads) - 1
        for index, head in enumerate(self._group.heads):
            prefix = "" if index == last else f"{spelled(head.place.folder.name)}/"
            yield from self._folder(index, head, prefix)
        yield from self._files.missing()

    def _folder(self, index: int, head: Head, prefix: str) -> Iterator[chunks.Chunk]:
        home = head.place.files
        if home is None:
            return
        yield from self._loose(home, head, prefix)
        yield from self._console(index, head, home, prefix)
        yield from self._run_files(home, head.place.folder.name, prefix)
        yield from self._sweep(head)

    def _run_files(self, home: Path, folder: str, prefix: str) -> Iterator[chunks.Chunk]:
        count = 0
        for chunk in self._files.changed(home, spelled(folder), prefix):
            count += isinstance(chunk, chunks.File)
            yield chunk
        if prefix and count:
            detail = "a later folder of this run has files too; these are named by their folder"
            yield chunks.Lost(Loss("file-name", Fate.RENAMED, prefix, count, detail))

    def _loose(self, home: Path, head: Head, prefix: str) -> Iterator[chunks.Chunk]:
        has, assembly = self._position.has, Assembly()
        found = self._changed(home / "wandb-metadata.json", prefix)
        metadata = loose_json(found) if found else None
        if isinstance(metadata, dict):
            self._facts.metadata(metadata, is_authority=head.place.history is not None)
            if not has.get("environment"):
                assembly.environ(metadata)
        found = self._changed(home / "config.yaml", prefix)
        config = loose_config(found) if found else None
        if isinstance(config, dict):
            _adopt(assembly, config, is_needed=not has.get("config"))
        found = self._changed(home / "wandb-summary.json", prefix)
        summary = loose_json(found) if found and not has.get("summary") else None
        if isinstance(summary, dict):
            for path, value in trees.leaves(summary):
                trees.put(self._summary, path, value)
        found = self._changed(home / "description.md", prefix)
        if found is not None:
            text = found.read_text(encoding="utf-8", errors="replace").strip()
            if text and text != head.run_id and "notes" not in self._facts.state:
                self._facts.state["notes"] = text
        assembly.losses += [x for x in (metadata, config, summary) if isinstance(x, Loss)]
        yield from assembly.drain()

    def _changed(self, path: Path, prefix: str) -> Path | None:
        """The path, if such a file is there and was not read before as it is now."""
        found = regular(path)
        if found is None or inside(path.parent, path.name) is None:
            return None
        stamp: Tree = [found.st_size, found.st_mtime_ns]
        name = prefix + path.name
        if self._position.loose.get(name) == stamp:
            return None
        self._position.loose[name] = stamp
        return path

    def _console(self, index: int, head: Head, home: Path, prefix: str) -> Iterator[chunks.Chunk]:
        """The log, where records hold no console and no more of them are to come."""
        log = home / "output.log"
        is_over = head.content is None or head.place.history or self._facts.state.get("exited")
        if self._position.has.get("console") or not is_over or inside(home, "output.log") is None:
            return
        segment = self._position.segments[index]
        lines = int(str(self._position.has.get("log_lines", 0)))
        if not os.access(log, os.R_OK):
            detail = "cannot be opened: Permission denied"
            yield chunks.Lost(Loss("unreadable-file", Fate.DROPPED, prefix + log.name, 1, detail))
            return
        for offset, following, chunk in log_chunks(log, segment.log_offset, lines):
            segment.log_offset = offset
            self._position.has["log_lines"] = following
            yield chunk

    def _sweep(self, head: Head) -> Iterator[chunks.Chunk]:
        """What the sweep chose for this run; the sweep's own definition is only on the server."""
        sweep = self._facts.text("sweep_id")
        if sweep is None:
            return
        name = f"sweep-{sweep}/config-{head.run_id}.yaml"
        found = inside(head.place.folder.parent, name)
        chosen = self._changed(found, f"sweep-{sweep}/") if found else None
        body = loose_config(chosen) if chosen else None
        if isinstance(body, dict):
            yield chunks.Document("sweep", sweep, {"parameters": body})
        elif isinstance(body, Loss):
            yield chunks.Lost(body)


def _adopt(assembly: Assembly, config: dict[str, Tree], *, is_needed: bool) -> None:
    """Config of a loose file; beside records only what W&B keeps there for itself."""
    for name, value in config.items():
        if name == "_wandb" or is_needed:
            trees.put(assembly.config, (name,), value)
