"""The messages of neptune-scale, read from the wire without anybody's generated code.

Source: `neptune_pb/ingest/v1/common.proto` of neptune-api 0.26; numbers of fields are in comments.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from runferry.dialects.neptune.steps import MILLION
from runferry.dialects.times import NS

Wire: TypeAlias = "int | bytes"
_DOUBLE: Final = struct.Struct("<d")
_FLOAT: Final = struct.Struct("<f")
_ADD, _REMOVE = 1, 2


class Malformed(ValueError):  # noqa: N818  the field's word, not the suffix
    """The bytes are no such message."""


@dataclass(frozen=True, slots=True)
class FileRef:
    """A file by its place in Neptune's storage."""

    path: str
    size: int
    mime_type: str


@dataclass(frozen=True, slots=True)
class Histogram:
    """Bins with counts, or with densities."""

    edges: tuple[float, ...]
    values: tuple[float, ...]
    is_counting: bool


@dataclass(frozen=True, slots=True)
class Moment:
    """A time in nanoseconds since the epoch."""

    time_ns: int


@dataclass(frozen=True, slots=True)
class StringSet:
    """All strings of a set."""

    values: tuple[str, ...]


Value: TypeAlias = "float | int | bool | str | Moment | StringSet | FileRef | Histogram"


@dataclass(frozen=True, slots=True)
class CreateRun:
    """`Run`: the first operation of a run."""

    run_id: str = ""
    experiment: str = ""
    family: str = ""
    created_ns: int | None = None
    parent: str | None = None
    parent_project: str = ""
    fork_micros: int | None = None  # the step in millionths


@dataclass(slots=True)
class Snapshot:
    """`UpdateRunSnapshot`: what was logged in one call."""

    micros: int | None = None  # the step in millionths
    time_ns: int | None = None
    preview: float | None = None  # how complete a preview is; None for values that stay
    assigned: list[tuple[str, Value]] = field(default_factory=list)
    appended: list[tuple[str, Value]] = field(default_factory=list)
    added: list[tuple[str, str]] = field(default_factory=list)
    removed: list[tuple[str, str]] = field(default_factory=list)


def fields(message: bytes) -> Iterator[tuple[int, Wire]]:
    """The fields of a message: numbers as they are on the wire, all else as bytes.

    Raises Malformed.
    """
    at, end = 0, len(message)
    while at < end:
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == 2:
            length, at = _varint(message, at)
            if at + length > end:
                raise Malformed("a field that ends behind its message")
            yield tag >> 3, message[at : at + length]
            at += length
        elif kind == 0:
            value, at = _varint(message, at)
            yield tag >> 3, value
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
            if at + length > end:
                raise Malformed("a number that ends behind its message")
            yield tag >> 3, message[at : at + length]
            at += length
        else:
            raise Malformed(f"a field of the unknown kind {kind}")


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(message) and shift < 70:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at
        shift += 7
    raise Malformed("a number without an end")


def create_run(message: bytes) -> CreateRun:
    """The message `Run`. Raises Malformed."""
    told: dict[str, str] = {}
    created: int | None = None
    fork: bytes | None = None
    for number, value in fields(message):
        match number:
            case 1 | 4 | 5:  # run_id, family, experiment_id
                told[("run_id", "", "", "family", "experiment")[number - 1]] = _text(value)
            case 2:
                fork = _bytes(value)
            case 3:
                created = _time(value)
    parent, project, micros = _fork(fork) if fork is not None else (None, "", None)
    return CreateRun(
        told.get("run_id", ""),
        told.get("experiment", ""),
        told.get("family", ""),
        created,
        parent,
        project,
        micros,
    )


def _fork(message: bytes) -> tuple[str | None, str, int | None]:
    """Parent, its project and the step of a `ForkPoint`."""
    parent, project, micros = None, "", None
    for number, value in fields(message):
        match number:
            case 1:
                project = _text(value)
            case 2:
                parent = _text(value)
            case 4:
                micros = _step(value)
    return parent, project, micros


def snapshot(message: bytes) -> Snapshot:
    """The message `UpdateRunSnapshot`. Raises Malformed."""
    found = Snapshot()
    for number, value in fields(message):
        match number:
            case 8:
                found.appended.append(_entry(_bytes(value)))
            case 4:
                found.assigned.append(_entry(_bytes(value)))
            case 1:
                found.micros = _step(value)
            case 2:
                found.time_ns = _time(value)
            case 5:
                _modified(_bytes(value), found)
            case 10:
                found.preview = _preview(_bytes(value))
    return found


def _entry(message: bytes) -> tuple[str, Value]:
    """A member of a map from paths to values."""
    key, value = "", None
    for number, found in fields(message):
        if number == 1:
            key = _text(found)
        elif number == 2:
            value = _value(_bytes(found))
    if value is None:
        raise Malformed(f"no value of a kind that is known: {key}")
    return key, value


def _value(message: bytes) -> Value | None:
    """The one value of a `Value`; None for a kind that is not known."""
    found: Value | None = None
    for number, value in fields(message):
        match number:
            case 1:
                found = _double(value)
            case 3:
                found = _signed(value)
            case 5:
                found = _number(value) != 0
            case 6:
                found = _text(value)
            case 8:
                found = Moment(_time(value))
            case 12:
                found = StringSet(tuple(_text(one) for _, one in fields(_bytes(value))))
            case 13:
                found = _file(_bytes(value))
            case 14:
                found = _histogram(_bytes(value))
    return found


def _file(message: bytes) -> FileRef:
    path, size, mime_type = "", 0, ""
    for number, value in fields(message):
        match number:
            case 1:
                path = _text(value)
            case 2:
                size = _signed(value)
            case 3:
                mime_type = _text(value)
    return FileRef(path, size, mime_type)


def _histogram(message: bytes) -> Histogram:
    edges: list[float] = []
    values: list[float] = []
    is_counting = True
    for number, value in fields(message):
        if number == 1:
            edges += _doubles(value)
        elif number in (4, 5):  # counts, densities
            is_counting = number == 4
            for _, packed in fields(_bytes(value)):
                values += _counts(packed) if is_counting else _doubles(packed)
    return Histogram(tuple(edges), tuple(values), is_counting)


def _counts(packed: Wire) -> list[float]:
    """Counts beyond 2^53 do not exist: nobody logs that often."""
    if isinstance(packed, int):
        return [float(packed)]
    found, at = [], 0
    while at < len(packed):
        value, at = _varint(packed, at)
        found.append(float(value))
    return found


def _doubles(packed: Wire) -> list[float]:
    content = _bytes(packed)
    if len(content) % 8:
        raise Malformed("no list of doubles")
    return list(struct.unpack(f"<{len(content) // 8}d", content))


def _modified(message: bytes, found: Snapshot) -> None:
    """A member of `modify_sets`: a path, and for each string whether it is added or removed."""
    key, changes = "", b""
    for number, value in fields(message):
        if number == 1:
            key = _text(value)
        elif number == 2:
            changes = _bytes(value)
    for _, modify in fields(changes):  # ModifySet.string
        for _, entry in fields(_bytes(modify)):  # ModifyStringSet.values
            parts = dict(fields(_bytes(entry)))
            word, what = _text(parts.get(1, b"")), _number(parts.get(2, 0))
            if what == _ADD:
                found.added.append((key, word))
            elif what == _REMOVE:
                found.removed.append((key, word))


def _preview(message: bytes) -> float | None:
    parts = dict(fields(message))
    if not _number(parts.get(1, 0)):
        return None
    ratio = parts.get(2)
    if ratio is None:
        return 0.0
    content = _bytes(ratio)
    if len(content) != 4:
        raise Malformed("no ratio")
    return float(_FLOAT.unpack(content)[0])


def _step(value: Wire) -> int:
    parts = dict(fields(_bytes(value)))
    return _number(parts.get(1, 0)) * MILLION + _number(parts.get(2, 0))


def _time(value: Wire) -> int:
    parts = dict(fields(_bytes(value)))
    return _signed(parts.get(1, 0)) * NS + _signed(parts.get(2, 0))


def _text(value: Wire) -> str:
    try:
        return _bytes(value).decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("a text that is no UTF-8") from None


def _double(value: Wire) -> float:
    content = _bytes(value)
    if len(content) != 8:
        raise Malformed("no double")
    return float(_DOUBLE.unpack(content)[0])


def _signed(value: Wire) -> int:
    found = _number(value)
    return found - (1 << 64) if found >= 1 << 63 else found


def _number(value: Wire) -> int:
    if not isinstance(value, int):
        raise Malformed("bytes where a number belongs")
    return value


def _bytes(value: Wire) -> bytes:
    if not isinstance(value, bytes):
        raise Malformed("a number where bytes belong")
    return value
