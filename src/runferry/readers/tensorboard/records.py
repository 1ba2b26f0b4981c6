"""The records that are no rows: what each kind of them says of the run."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

from runferry import chunks
from runferry.dialects.run_folder import Beside
from runferry.model import Tree
from runferry.readers.declared import Declared
from runferry.readers.standing_losses import StandingLosses
from runferry.readers.tensorboard.attributes import Assembly
from runferry.readers.tensorboard.identity import EventFile
from runferry.readers.tensorboard.latest import Latest
from runferry.readers.tensorboard.own import Own
from runferry.readers.tensorboard.position import Position
from runferry.readers.tensorboard.statements import Statements
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
        self._statements = {
            label: Statements.restored(one) for label, one in position.statements.items()
        }
        self._given = position.given
        self.own = Own(**copy.deepcopy(position.own))  # type: ignore[arg-type]
        stated = {name: [given, now] for name, (given, now) in position.losses.items()}
        self.latest = Latest(dict(position.things), stated)
        self._documents = dict(position.documents)

    def store(self, position: Position) -> None:
        """Note all of it, for the cursor."""
        position.statements = {label: one.tree() for label, one in self._statements.items()}
        position.given = self._given
        position.own = dict(vars(self.own))
        position.things = self.latest.things
        position.losses = dict(self.latest.losses)
        position.documents = self._documents

    def of(self, file: EventFile) -> Statements:
        """What this file has said so far."""
        return self._statements.setdefault(file.label, Statements())

    def said(self, files: Iterable[EventFile]) -> dict[str, Statements]:
        """What they have said, in their order."""
        return {file.label: self.of(file) for file in files}

    def attributes(
        self, files: Iterable[EventFile], beside: Beside, standing: StandingLosses
    ) -> Iterator[chunks.Chunk]:
        """All of them, if they are not those that were given before."""
        assembly = Assembly(self.said(files), beside)
        items = assembly.items()
        yield from standing.met([*beside.losses, *assembly.losses])
        digest = _digest([[item.role, list(item.path), item.value] for item in items])
        if digest != self._given and (items or self._given):
            self._given = digest
            yield chunks.Attributes(items, is_whole=not self.own.uid)

    def take(
        self, file: EventFile, batch: list[Record], *, is_own: bool, declared: Declared
    ) -> Iterator[chunks.Chunk]:
        """The records of one batch, in their order."""
        label, said = file.label, self.of(file)
        for kind, offset, seq, _, message in batch:
            match kind:
                case "runferry":
                    place = f"{label}@{offset}"
                    yield from self.own.take(file.path, place, message, declared, self.latest)
                case "file_version" | "source_metadata" if is_own:
                    pass  # what the run says of itself is among its own attributes
                case "file_version":
                    said.describe(kind, str(message.get(kind, "")))
                case "source_metadata":
                    said.describe("writer", str(message.get("writer", "")))
                case "session_start_info":
                    hparams = message.get("hparams") or {}
                    stated = {str(name): plain(value) for name, value in hparams.items()}
                    said.start({**message, "hparams": stated})
                case "session_end_info":
                    said.end(message)
                case "experiment" | "layout":
                    yield from self._document(kind, label, message)
                case _:
                    yield raw(kind, f"{label}@{offset}", seq, message)

    def _document(self, kind: str, label: str, body: dict[str, Tree]) -> Iterator[chunks.Document]:
        """A document once; another of its kind is named by its file."""
        family, name = _DOCUMENTS[kind]
        body = {part: value for part, value in body.items() if part not in _ADDRESS}
        digest = _digest(body)
        if digest in self._documents.values():
            return
        if name in self._documents:
            name = f"{name}@{label}"
        self._documents[name] = digest
        yield chunks.Document(family, name, body)


def _digest(tree: Tree) -> str:
    spelled = dumps(tree).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(spelled, digest_size=16).hexdigest()


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
