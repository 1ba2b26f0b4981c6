"""The records that are no rows: what each kind of them says of the run."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from runferry import chunks
from runferry.dialects.wandb.own_files import own_content
from runferry.model import Series, Tree
from runferry.readers.declared import Declared
from runferry.readers.wandb import artifacts
from runferry.readers.wandb.attributes import Assembly
from runferry.readers.wandb.facts import Facts
from runferry.readers.wandb.files import RunFiles
from runferry.readers.wandb.folders import Place
from runferry.readers.wandb.metrics import Definitions
from runferry.readers.wandb.own import SHOWN, Own
from runferry.readers.wandb.position import Position
from runferry.readers.wandb.row_media import RowMedia
from runferry.tables import dumps

_FRAMING = {"final", "footer"}  # marks of the file's end that say nothing
_NOTED = {"alert", "tbrecord", "preempting"}
_OURS = {"control", "_info", "uuid"}  # of the client's own traffic, in every record


class Records:
    """Takes records one by one; what they say together is in the parts."""

    def __init__(self, position: Position, series: tuple[Series, ...]) -> None:
        self.facts = Facts(dict(position.facts))
        self.definitions = Definitions.restored(position.definitions)
        self.declared = Declared.after(series, self.definitions.applied)
        media = RowMedia(**position.media)  # type: ignore[arg-type]
        self.files = RunFiles(dict(position.files), media)
        self.assembly = Assembly.restored(position.attributes)
        self.own = Own(**copy.deepcopy(position.own))  # type: ignore[arg-type]

    def store(self, position: Position) -> None:
        """Note all of it, for the cursor."""
        position.facts = self.facts.state
        position.definitions = self.definitions.position()
        position.files, position.media = self.files.seen, self.files.media.position()
        position.attributes = self.assembly.position()
        position.own = dict(vars(self.own))

    def take(
        self, place: Place, batch: list[tuple[str, int, dict[str, Any]]]
    ) -> Iterator[chunks.Chunk]:
        """The records of one batch, in their order."""
        label = place.label
        for kind, offset, message in batch:
            ours = own_content(message) if kind == "footer" else None
            if ours is not None:
                yield from self.own.take(place.folder, f"{label}@{offset}", ours, self.declared)
                continue
            if self.own.uid and kind in SHOWN:
                continue
            self.facts.absorb(kind, message)
            if self._absorb(kind, offset, message, f"{label}@{offset}"):
                yield from _strangers(kind, offset, message)
            else:
                yield from _thing(kind, offset, message)
        yield from self.assembly.told_losses()
        changed = self.declared.restated()
        if changed:
            yield chunks.SeriesFacts(changed)

    def _absorb(self, kind: str, offset: int, message: dict[str, Any], where: str) -> bool:
        """Take in a record that changes what is known; False for one that is a thing of its own."""
        assembly = self.assembly
        match kind:
            case "run":
                assembly.run(message, where)
            case "config":
                assembly.update_config(message, where)
            case "environment":
                assembly.has_environment = True
                assembly.environ(message)
            case "telemetry":
                assembly.environ({"telemetry": message})
            case "header":
                assembly.environ({"_wandb": message})
            case "metric":
                self._metric(message)
            case "files":
                self.files.listed(message)
            case "exit":
                pass
            case _ if kind in _NOTED:
                assembly.note(("_wandb", kind, str(offset)), plain(message))
            case _:
                return False
        return True

    def _metric(self, message: dict[str, Any]) -> None:
        self.definitions.absorb(message)
        if not message.get("expanded_from_glob"):
            name = str(message.get("name") or message.get("glob_name") or "")
            self.assembly.note(("_wandb", "define_metric", name), plain(message))


def _thing(kind: str, offset: int, message: dict[str, Any]) -> Iterator[chunks.Chunk]:
    """What the record is a chunk of; it is kept as it is where nothing else can hold it."""
    if kind == "artifact":
        yield artifacts.produced(message)
        yield from _strangers(kind, offset, message)
    elif kind == "use_artifact":
        yield artifacts.used(message)
        yield from _strangers(kind, offset, message)
    elif kind not in _FRAMING or plain(message):
        yield raw(kind, offset, message)


def _strangers(kind: str, offset: int, message: dict[str, Any]) -> Iterator[chunks.Raw]:
    """The fields that no schema knows; the others are where they belong."""
    found = {name: value for name, value in message.items() if name.startswith("#")}
    if found:
        yield raw(kind, offset, found)


def plain(message: dict[str, Any]) -> dict[str, Tree]:
    """A message without what the client says to itself."""
    return {name: value for name, value in message.items() if name not in _OURS}


def raw(kind: str, offset: int, message: dict[str, Any]) -> chunks.Raw:
    """A record that nothing else can hold: its bytes, or its fields as `tables.dumps` has them."""
    fields = list(message.values())
    content = fields[0] if len(fields) == 1 else None
    if not isinstance(content, bytes):
        content = dumps(message).encode("utf-8", "surrogatepass")
    return chunks.Raw(kind, f"no place for a {kind} record at byte {offset}", content)
