"""Events and their values as protobuf, without generated code: what is written one by one.

Field numbers are those of TensorFlow's `event.proto`, `summary.proto` and `tensor.proto`. Rows of
tables are spelled natively.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from runferry.dialects.protobuf import double, field, integer
from runferry.dialects.tensorboard.names import PLUGIN

DataClass = Literal["unknown", "scalar", "tensor", "blob_sequence"]
_DATA_CLASSES: tuple[DataClass, ...] = ("unknown", "scalar", "tensor", "blob_sequence")
LONGEST_EVENT: Final = 256 << 20
"""Bytes. The native reader takes a longer record for damage (`rust/src/tfrecord.rs`)."""
_DT_STRING = 7
_NO_ELEMENTS = b"\x42\x06\x08\x01\x12\x02\x12\x00"
"""`Value.tensor`: floats of shape [0], as the hparams plugin has them."""
_SHOWN_ONLY = b"\xea\x5e\x02\x18\x04"
"""Field 1517 of `Event`, flag 4: it shows what a record of ours says exactly; nobody reads it."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """`SummaryMetadata`: by which plugin TensorBoard shows a tag, and what else it says of it."""

    plugin: str
    data_class: DataClass = "unknown"
    content: bytes = b""
    facts: bytes = b""  # display name and description, spelled

    def spelled(self) -> bytes:
        """The field `Value.metadata`."""
        named = field(1, self.plugin) + (field(2, self.content) if self.content else b"")
        known = _DATA_CLASSES.index(self.data_class)
        return field(9, field(1, named) + self.facts + (integer(4, known) if known else b""))


def event(value: bytes, *, step: int = 0, seconds: float = 0.0, shown_only: bool = False) -> bytes:
    """An `Event` with one value."""
    ours = _SHOWN_ONLY if shown_only else b""
    return double(1, seconds) + integer(2, step) + field(5, field(1, value)) + ours


def other_event(number: int, content: bytes, *, step: int, seconds: float) -> bytes:
    """An `Event` that holds something else than a summary, to be shown only."""
    return double(1, seconds) + integer(2, step) + field(number, content) + _SHOWN_ONLY


def shown_again(event: bytes) -> bytes | None:
    """An event that holds a summary, to be shown only; None for bytes that are none.

    A start of a session would make TensorBoard forget what it has read: only summaries are shown.
    """
    try:
        numbers = [number for number, _ in fields_of(event)]
    except ValueError:
        return None
    is_summary = numbers.count(5) == 1 and not set(numbers) - {1, 2, 5}
    return event + _SHOWN_ONLY if is_summary else None


def fields_of(message: bytes) -> Iterator[tuple[int, int]]:
    """Number and wire type of each field. Raises ValueError for what is no message."""
    at = 0
    while at < len(message):
        key, at = _varint_at(message, at)
        number, kind = key >> 3, key & 7
        match kind:
            case 0:
                _, at = _varint_at(message, at)
            case 1:
                at += 8
            case 2:
                length, at = _varint_at(message, at)
                at += length
            case 5:
                at += 4
            case _:
                raise ValueError(f"no field is of wire type {kind}")
        if at > len(message):
            raise ValueError("a field ends behind its message")
        yield number, kind


def _varint_at(message: bytes, at: int) -> tuple[int, int]:
    """The number at a place, and where it ends."""
    for length, byte in enumerate(message[at : at + 10], 1):
        if byte < 0x80:
            spelled = message[at : at + length]
            return sum((one & 0x7F) << 7 * n for n, one in enumerate(spelled)), at + length
    raise ValueError("a number without an end")


def first_events(seconds: float, writer: str) -> tuple[bytes, bytes]:
    """What a file begins with: the version of its format, and who writes it."""
    version = double(1, seconds) + field(3, "brain.Event:2")
    return version, double(1, seconds) + field(10, field(1, writer))


def session_start() -> bytes:
    """A session (re)starts at the lowest step: what TensorBoard read before it is obsolete."""
    return other_event(7, integer(1, 1), step=-(2**63), seconds=0.0)


def record_event(tag: str, content: bytes, *, seconds: float = 0.0) -> bytes:
    """A record that only we read."""
    tensor = field(8, integer(1, _DT_STRING) + field(2, b"") + field(8, content))
    value = field(1, tag) + tensor + Metadata(PLUGIN).spelled()
    return event(value, seconds=seconds)


def plugin_event(tag: str, metadata: Metadata, *, seconds: float) -> bytes:
    """A value whose metadata says everything, as those of hparams; to be shown only."""
    value = field(1, tag) + _NO_ELEMENTS + metadata.spelled()
    return event(value, seconds=seconds, shown_only=True)


@dataclass(frozen=True, slots=True)
class Strings:
    """A tensor of strings, in the order of its elements."""

    elements: tuple[bytes, ...]
    shape: tuple[int, ...]

    def spelled(self) -> tuple[bytes, list[int]]:
        """The field `Value.tensor`, and where each element's bytes end, counted from its end."""
        dims = b"".join(field(2, integer(1, size)) for size in self.shape)
        parts = [field(8, element) for element in self.elements]
        ends, behind = [], 0
        for part in reversed(parts):
            ends.append(behind)
            behind += len(part)
        message = integer(1, _DT_STRING) + field(2, dims) + b"".join(parts)
        return field(8, message), ends[::-1]


def strings_event(
    tag: str, metadata: bytes, tensor: Strings, *, step: int, seconds: float
) -> tuple[bytes, list[int]]:
    """An event that shows strings, and where in it the bytes of each element begin."""
    spelled, ends = tensor.spelled()
    whole = event(field(1, tag) + spelled + metadata, step=step, seconds=seconds, shown_only=True)
    tail = len(metadata) + len(_SHOWN_ONLY)
    sized = zip(tensor.elements, ends, strict=True)
    return whole, [len(whole) - tail - end - len(element) for element, end in sized]


def tensor_event(
    tag: str, metadata: bytes, tensor: bytes, *, step: int, seconds: float
) -> tuple[bytes, int]:
    """An event that shows a `TensorProto` as it is, and where in it that begins."""
    value = field(1, tag) + field(8, tensor) + metadata
    whole = event(value, step=step, seconds=seconds, shown_only=True)
    return whole, len(whole) - len(metadata) - len(_SHOWN_ONLY) - len(tensor)


def number_tensor(values: list[float], shape: tuple[int, ...], is_double: bool) -> bytes:
    """A `TensorProto` of floats, of 64 bits or 32."""
    dims = b"".join(field(2, integer(1, size)) for size in shape)
    content = struct.pack(f"<{len(values)}{'d' if is_double else 'f'}", *values)
    return integer(1, 2 if is_double else 1) + field(2, dims) + field(4, content)


def string_event(tag: str, plugin: str, content: bytes) -> bytes:
    """A value of one string, to be shown only."""
    tensor = field(8, integer(1, _DT_STRING) + field(2, b"") + field(8, content))
    return event(field(1, tag) + tensor + Metadata(plugin).spelled(), shown_only=True)
