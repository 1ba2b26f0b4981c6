"""The records of `.swanlab` files of version 2, apart from scalars and lines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from runferry import chunks
from runferry.dialects.protobuf_reading import Malformed
from runferry.dialects.swanlab.names import (
    COLUMN,
    COLUMN_TYPES,
    FINISH,
    LOG,
    MEDIA_RECORD,
    SAVE,
    SCALAR_RECORD,
    START,
)
from runferry.dialects.swanlab.wire import Message, parsed
from runferry.model import Address, Blob, Tree
from runferry.paths import inside
from runferry.readers.run_folders.run_files import role_of
from runferry.readers.swanlab.facts import Facts
from runferry.readers.swanlab.media import Item, MediaFound

_SECTIONS = ("", "PINNED", "HIDDEN", "PUBLIC", "SYSTEM")
_CHARTS = (
    "", "LINE", "BAR", "SCALAR", "IMAGE", "AUDIO", "TEXT", "VIDEO", "ECHARTS", "OBJECT3D",
    "MOLECULE", "HTML",
)  # fmt: skip
_RESUMES = ("", "allow", "must")
_POLICIES = ("now", "end", "live")
_NAMES = {
    START: "start", FINISH: "finish", COLUMN: "column", SCALAR_RECORD: "scalar",
    MEDIA_RECORD: "media", LOG: "log", SAVE: "save", 0: "unknown",
}  # fmt: skip
_KNOWN = {
    START: range(1, 13), FINISH: range(1, 4), COLUMN: range(1, 15), MEDIA_RECORD: range(1, 6),
    SAVE: range(1, 7),
}  # fmt: skip


def raw(number: int, seq: int, message: bytes, reason: str) -> chunks.Raw:
    """A record, or one with fields, that nobody has taught us."""
    return chunks.Raw(_NAMES.get(number, f"#{number}"), reason, message, seq)


class ProtobufRecords:
    """Takes records one by one; what they say together is in `facts`."""

    def __init__(self, facts: Facts, home: Path) -> None:
        self._facts = facts
        self._home = home

    def take(self, number: int, seq: int, content: bytes) -> Iterator[chunks.Chunk | MediaFound]:
        """The chunks of a record; of a media record its items, which want a key."""
        try:
            message = parsed(content)
            if number in _KNOWN:
                message.expect(_KNOWN[number])
            yield from self._take(number, seq, content, message)
        except Malformed as error:
            yield raw(number, seq, content, f"malformed: {error}")
            return
        if message.flaws:
            yield raw(number, seq, content, "; ".join(sorted(message.flaws)))

    def _take(
        self, number: int, seq: int, content: bytes, message: Message
    ) -> Iterator[chunks.Chunk | MediaFound]:
        match number:
            case 10:
                start(self._facts, message)
            case 11:
                self._facts.ended(message.integer(1), message.text(2), message.time_ns(3))
            case 12:
                self._facts.columns[message.text(3)] = _column(message)
            case 14:
                at = Address(seq, message.integer(2), None, message.time_ns(4))
                items = tuple(_items(message))
                yield MediaFound(message.text(1), at, message.integer(3), items)
            case 20:
                yield from self._save(message)
            case _:
                yield raw(number, seq, content, "a record that is not known, or fields of it")

    def _save(self, message: Message) -> Iterator[chunks.Chunk]:
        """A file that the user saved; those of the client's own are read where they lie."""
        if message.integer(5):
            return
        name = message.text(1)
        stated: dict[str, Tree] = {
            "source_path": message.text(2),
            "target_path": message.text(3),
            "policy": _word(_POLICIES, message.integer(4)),
        }
        self._facts.other.setdefault("saved", {})
        saved = self._facts.other["saved"]
        assert isinstance(saved, dict)
        saved[name] = stated
        if inside(self._home / "files", name) is None:  # else it is among the run's files
            blob = Blob.from_bytes(message.content(6)) if message.has(6) else Blob()
            yield chunks.File(f"files/{name}", role_of(name), blob)


def start(facts: Facts, message: Message) -> None:
    """The first record of a file."""
    facts.put(
        project=message.text(1),
        entity=message.text(2),
        name=message.text(4),
        notes=message.text(5),
        tags=list(message.texts(6)),
        group=message.text(7),
        job_type=message.text(8),
        run_id=message.text(10),
        started_ns=message.time_ns(12),
        created_ns=message.time_ns(12),
        state="running",
        status="RUNNING",
    )
    for name, value in (
        ("public", bool(message.integer(3))),
        ("color", message.text(9)),
        ("resume", _word(_RESUMES, message.integer(11))),
    ):
        if value:
            facts.other[name] = value


def _column(message: Message) -> Tree:
    """A column without what its rows tell; empty fields are left out."""
    found: dict[str, Tree] = {
        "class": message.integer(1),
        "type": COLUMN_TYPES.get(message.integer(2), (str(message.integer(2)), None))[0],
        "name": message.text(4),
        "section_name": message.text(5),
        "section_type": _word(_SECTIONS, message.integer(6)),
        "chart_index": message.text(8),
        "chart_name": message.text(9),
        "chart_type": _word(_CHARTS, message.integer(10)),
        "metric_name": message.text(11),
        "x_axis": message.text(13),
        "hidden": bool(message.integer(14)),
    }
    found["class"] = {1: "CUSTOM", 2: "SYSTEM"}.get(message.integer(1), message.integer(1))
    for y_range in message.messages(7, range(1, 3)):
        found["y_range"] = [y_range.double(1), y_range.double(2)]
    for colors in message.messages(12, range(1, 3)):
        found["metric_colors"] = [colors.text(1), colors.text(2)]
    return {name: value for name, value in found.items() if value not in ("", False, 0)}


def _word(words: tuple[str, ...], number: int) -> Tree:
    return words[number] if 0 <= number < len(words) else number


def _items(message: Message) -> Iterator[Item]:
    folder = COLUMN_TYPES.get(message.integer(3), (str(message.integer(3)), None))[0]
    for value in message.messages(5, range(1, 2)):
        for item in value.messages(1, range(1, 6)):
            yield Item(
                f"{folder}/{item.text(1)}",
                item.content(5) if item.has(5) else None,
                item.text(2) or None,
                item.integer(3),
                item.text(4) or None,
            )
