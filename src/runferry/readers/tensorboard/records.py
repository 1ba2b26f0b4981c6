"""The records that are no rows: what each kind of them says of the run."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator
from typing import Any

from runferry import chunks
from runferry.model import Tree
from runferry.readers.declared import Declared
from runferry.readers.tensorboard.attributes import Assembly
from runferry.readers.tensorboard.facts import Facts
from runferry.readers.tensorboard.identity import EventFile
from runferry.readers.tensorboard.latest import Latest
from runferry.readers.tensorboard.own import Own
from runferry.readers.tensorboard.position import Position
from runferry.tables import dumps

Record = tuple[str, int, int, int | None, dict[str, Any]]  # type, offset, seq, ns, message
FRAMING = ("file_version", "source_metadata")
_ADDRESS = ("step", "event")  # of the event, not of the message in it
_DOCUMENTS = {
    "experiment": ("hparams_experiment", "_hparams_/experiment"),
    "layout": ("custom_scalars", "custom_scalars__config__"),
}


class Records:
    """Takes records one by one; what they say together is in the parts."""

    def __init__(self, position: Position) -> None:
        self.facts = Facts(dict(position.facts))
        self.assembly = Assembly.restored(position.attributes)
        self.own = Own(**copy.deepcopy(position.own))  # type: ignore[arg-type]
        self.latest = Latest(dict(position.things))
        self._documents = dict(position.documents)

    def store(self, position: Position) -> None:
        """Note all of it, for the cursor."""
        position.facts = self.facts.state
        position.attributes = self.assembly.position()
        position.own = dict(vars(self.own))
        position.things = self.latest.known
        position.documents = self._documents

    def take(
        self, file: EventFile, batch: list[Record], *, is_own: bool, declared: Declared
    ) -> Iterator[chunks.Chunk]:
        """The records of one batch, in their order."""
        label = file.label
        for kind, offset, seq, _, message in batch:
            match kind:
                case "runferry":
                    place = f"{label}@{offset}"
                    of_ours = self.own.take(file.path, place, message, declared)
                    yield from self.latest.hold(of_ours)
                case "file_version" | "source_metadata" if is_own:
                    pass  # what the run says of itself is among its own attributes
                case "file_version":
                    self.assembly.describe(label, kind, str(message.get(kind, "")))
                case "source_metadata":
                    self.assembly.describe(label, "writer", str(message.get("writer", "")))
                case "session_start_info":
                    self.facts.start(message)
                    hparams = message.get("hparams") or {}
                    stated = {str(name): plain(value) for name, value in hparams.items()}
                    self.assembly.start({**message, "hparams": stated}, label)
                case "session_end_info":
                    self.facts.end(message)
                case "experiment" | "layout":
                    yield from self._document(kind, label, message)
                case _:
                    yield raw(kind, f"{label}@{offset}", seq, message)
        yield from self.assembly.told_losses()

    def _document(self, kind: str, label: str, body: dict[str, Tree]) -> Iterator[chunks.Document]:
        """A document once; another of its kind is named by its file."""
        family, name = _DOCUMENTS[kind]
        body = {part: value for part, value in body.items() if part not in _ADDRESS}
        spelled = dumps(body).encode("utf-8", "surrogatepass")
        digest = hashlib.blake2b(spelled, digest_size=16).hexdigest()
        if digest in self._documents.values():
            return
        if name in self._documents:
            name = f"{name}@{label}"
        self._documents[name] = digest
        yield chunks.Document(family, name, body)


def plain(value: object) -> Tree:
    """What a `google.protobuf.Value` means."""
    match value:
        case {"number_value": float() | int() as number}:
            return float(number)
        case {"string_value": str() as text}:
            return text
        case {"bool_value": bool() as truth}:
            return truth
        case {"list_value": {"values": [*items]}}:
            return [plain(item) for item in items]
        case {"struct_value": {"fields": dict() as fields}}:
            return {str(name): plain(item) for name, item in fields.items()}
        case {"list_value": _}:
            return []
        case {"struct_value": _}:
            return {}
    return None


def raw(kind: str, place: str, seq: int, message: dict[str, Any]) -> chunks.Raw:
    """A record that nothing else can hold: its event, or its fields as `tables.dumps` has them."""
    event = message.get("event")
    if isinstance(event, bytes):
        named = str(message.get("plugin") or kind)
        return chunks.Raw(named, f"no place for values of {named}, at {place}", event, seq)
    content = dumps(message).encode("utf-8", "surrogatepass")
    return chunks.Raw(kind, f"no place for a {kind} record, at {place}", content, seq)
