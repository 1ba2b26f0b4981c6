"""The messages of neptune-scale, read from the wire without anybody's generated code.

Source: `neptune_pb/ingest/v1/common.proto` of neptune-api 0.26; numbers of fields are in comments.
"""

from __future__ import annotations

import struct
from typing import Final

from runferry.dialects.neptune.steps import MILLION
from runferry.dialects.protobuf_reading import (
    Malformed,
    Wire,
    bytes_in,
    double_in,
    fields,
    number_in,
    signed_in,
    text_in,
    varint,
)
from runferry.dialects.times import NS
from runferry.readers.neptune.scale.messages import (
    CreateRun,
    FileRef,
    Histogram,
    Moment,
    Snapshot,
    StringSet,
    Value,
)

_FLOAT: Final = struct.Struct("<f")
_ADD, _REMOVE = 1, 2
_A_DOUBLE: Final = b"\x12\x09\x09"  # field 2, of 9 bytes: its field 1, a double
_NUMBER_BYTES: Final = 2 + len(_A_DOUBLE) + 8  # of an entry besides its path
_MOST: Final = 2**63 - 1


def create_run(message: bytes) -> CreateRun:
    """The message `Run`. Raises Malformed."""
    told: dict[str, str] = {}
    created: int | None = None
    fork: bytes | None = None
    for number, value in fields(message):
        match number:
            case 1 | 4 | 5:  # run_id, family, experiment_id
                told[("run_id", "", "", "family", "experiment")[number - 1]] = text_in(value)
            case 2:
                fork = bytes_in(value)
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
                project = text_in(value)
            case 2:
                parent = text_in(value)
            case 4:
                micros = _step(value)
    return parent, project, micros


def snapshot(message: bytes) -> Snapshot:
    """The message `UpdateRunSnapshot`. Raises Malformed."""
    found = Snapshot()
    for number, value in fields(message):
        match number:
            case 8:
                found.appended.append(_entry(bytes_in(value)))
            case 4:
                found.assigned.append(_entry(bytes_in(value)))
            case 1:
                found.micros = _step(value)
            case 2:
                found.time_ns = _time(value)
            case 5:
                _modified(bytes_in(value), found)
            case 10:
                found.preview = _preview(bytes_in(value))
    return found


def _entry(message: bytes) -> tuple[str, Value]:
    """A member of a map from paths to values."""
    usual = _number_entry(message)
    if usual is not None:
        return usual
    key, value = "", None
    for number, found in fields(message):
        if number == 1:
            key = text_in(found)
        elif number == 2:
            value = _value(bytes_in(found))
    if value is None:
        raise Malformed(f"no value of a kind that is known: {key}")
    return key, value


def _number_entry(message: bytes) -> tuple[str, float] | None:
    """A short path and a double, which most entries are, if this is spelled as protobuf does."""
    length = len(message) - _NUMBER_BYTES
    if not 0 < length < 0x80 or message[0] != 0x0A or message[1] != length:
        return None
    if message[length + 2 : length + 5] != _A_DOUBLE:
        return None
    return text_in(message[2 : length + 2]), double_in(message[length + 5 :])


def _value(message: bytes) -> Value | None:
    """The one value of a `Value`; None for a kind that is not known."""
    found: Value | None = None
    for number, value in fields(message):
        match number:
            case 1:
                found = double_in(value)
            case 3:
                found = signed_in(value)
            case 5:
                found = number_in(value) != 0
            case 6:
                found = text_in(value)
            case 8:
                found = Moment(_time(value))
            case 12:
                found = StringSet(tuple(text_in(one) for _, one in fields(bytes_in(value))))
            case 13:
                found = _file(bytes_in(value))
            case 14:
                found = _histogram(bytes_in(value))
    return found


def _file(message: bytes) -> FileRef:
    path, size, mime_type = "", 0, ""
    for number, value in fields(message):
        match number:
            case 1:
                path = text_in(value)
            case 2:
                size = signed_in(value)
            case 3:
                mime_type = text_in(value)
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
            for _, packed in fields(bytes_in(value)):
                values += _counts(packed) if is_counting else _doubles(packed)
    return Histogram(tuple(edges), tuple(values), is_counting)


def _counts(packed: Wire) -> list[float]:
    """Counts beyond 2^53 do not exist: nobody logs that often."""
    if isinstance(packed, int):
        return [float(packed)]
    found, at = [], 0
    while at < len(packed):
        value, at = varint(packed, at)
        found.append(float(value))
    return found


def _doubles(packed: Wire) -> list[float]:
    content = bytes_in(packed)
    if len(content) % 8:
        raise Malformed("no list of doubles")
    return list(struct.unpack(f"<{len(content) // 8}d", content))


def _modified(message: bytes, found: Snapshot) -> None:
    """A member of `modify_sets`: a path, and for each string whether it is added or removed."""
    key, changes = "", b""
    for number, value in fields(message):
        if number == 1:
            key = text_in(value)
        elif number == 2:
            changes = bytes_in(value)
    for _, modify in fields(changes):  # ModifySet.string
        for _, entry in fields(bytes_in(modify)):  # ModifyStringSet.values
            parts = dict(fields(bytes_in(entry)))
            word, what = text_in(parts.get(1, b"")), number_in(parts.get(2, 0))
            if what == _ADD:
                found.added.append((key, word))
            elif what == _REMOVE:
                found.removed.append((key, word))


def _preview(message: bytes) -> float | None:
    parts = dict(fields(message))
    if not number_in(parts.get(1, 0)):
        return None
    ratio = parts.get(2)
    if ratio is None:
        return 0.0
    content = bytes_in(ratio)
    if len(content) != 4:
        raise Malformed("no ratio")
    return float(_FLOAT.unpack(content)[0])


def _step(value: Wire) -> int:
    parts = dict(fields(bytes_in(value)))
    return _held(number_in(parts.get(1, 0)) * MILLION + number_in(parts.get(2, 0)))


def _time(value: Wire) -> int:
    parts = dict(fields(bytes_in(value)))
    return _held(signed_in(parts.get(1, 0)) * NS + signed_in(parts.get(2, 0)))


def _held(number: int) -> int:
    """A step or a time that 64 bits hold."""
    if not -_MOST < number < _MOST:
        raise Malformed("a step or a time beyond 64 bits")
    return number
