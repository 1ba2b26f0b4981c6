"""Writes TensorBoard's event files byte by byte, as torch and TensorFlow 2 lay them out. No SDK.

The framing is TFRecord's; field numbers are those of event.proto, summary.proto and tensor.proto.
What is drawn comes from seeded generators: the same shape is the same file.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
import numpy.typing as npt

from bench.protobuf import bytes_field, double_field, float_field, number_field

# --- framing --------------------------------------------------------------------------------------


def _crc_table() -> npt.NDArray[np.uint32]:
    crc = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        crc = np.where(crc & 1, crc >> 1 ^ np.uint32(0x82F63B78), crc >> 1)  # Castagnoli, reflected
    return crc


_CRC_TABLE = _crc_table()


def masked_checksums(records: Sequence[bytes]) -> npt.NDArray[np.uint32]:
    """The masked CRC-32C of each record: byte by byte, but of all records of about a length."""
    masked = np.empty(len(records), dtype=np.uint32)
    alike: dict[int, list[int]] = {}
    for number, record in enumerate(records):
        alike.setdefault(len(record).bit_length(), []).append(number)
    for numbers in alike.values():
        numbers.sort(key=lambda number: len(records[number]), reverse=True)
        lengths = np.array([len(records[number]) for number in numbers])
        width = int(lengths[0])
        padded = b"".join(records[number].ljust(width, b"\0") for number in numbers)
        columns = np.frombuffer(padded, np.uint8).reshape(len(numbers), width).T.copy()
        crc = np.full(len(numbers), 0xFFFFFFFF, dtype=np.uint32)
        going_on = np.searchsorted(-lengths, -np.arange(width), side="left")
        for column, count in zip(columns, going_on, strict=True):
            some = crc[:count]
            crc[:count] = _CRC_TABLE[(some ^ column[:count]) & 0xFF] ^ some >> 8
        crc = ~crc
        masked[numbers] = (crc >> 15 | crc << 17) + np.uint32(0xA282EAD8)
    return masked


def write_records(out: BinaryIO, records: Iterable[bytes]) -> None:
    """Frame and write records, lengths and checksums included."""
    records = iter(records)
    while batch := list(islice(records, 65_536)):
        lengths = [struct.pack("<Q", len(record)) for record in batch]
        length_checksums = masked_checksums(lengths).astype("<u4").tobytes()
        checksums = masked_checksums(batch).astype("<u4").tobytes()
        out.write(
            b"".join(
                length + length_checksums[at : at + 4] + record + checksums[at : at + 4]
                for at, length, record in zip(
                    range(0, 4 * len(batch), 4), lengths, batch, strict=True
                )
            )
        )


# --- events ---------------------------------------------------------------------------------------

START_S = 1_760_000_000.0
EVENT_S = 0.000_123_4
EVERY = 125  # steps from one histogram of a tag, or one image, to the next


@dataclass(frozen=True, slots=True)
class EventsShape:
    """What a generated event file holds: so many tags of each kind, one event a value."""

    steps: int
    scalars: int = 20
    form: Literal["simple", "tensor"] = "simple"  # as torch writes scalars, or TensorFlow 2
    histograms: int = 0
    images: int = 0
    seed: int = 20

    @property
    def last_steps(self) -> dict[str, int]:
        """The last step of each kind that is in it."""
        rare = (self.steps - 1) // EVERY * EVERY
        last = {"scalars": self.steps - 1, "histograms": rare, "images": rare}
        return {kind: last[kind] for kind in last if getattr(self, kind)}


def write_events(path: Path, shape: EventsShape) -> None:
    """One event file, its header first."""
    with path.open("wb") as out:
        write_records(out, _records(shape))


def _records(shape: EventsShape) -> Iterator[bytes]:
    yield double_field(1, START_S) + bytes_field(3, "brain.Event:2")
    scalar = _simple_value if shape.form == "simple" else _scalar_tensor
    tags = [bytes_field(1, f"train/metric_{number:02d}") for number in range(shape.scalars)]
    random = np.random.default_rng(shape.seed)
    written = 0
    for step in range(shape.steps):
        step_field = number_field(2, step) if step else b""  # proto3 leaves a zero out
        values = [
            tag + scalar(value)
            for tag, value in zip(tags, random.random(shape.scalars).tolist(), strict=True)
        ]
        if step % EVERY == 0:
            for number in range(shape.histograms):
                tag = bytes_field(1, f"weights/layer_{number:02d}")
                values.append(tag + bytes_field(5, _histogram(random, step / shape.steps)))
            for number in range(shape.images):
                tag = bytes_field(1, f"samples/{number}")
                values.append(tag + bytes_field(4, _image(random)))
        for value in values:
            written += 1
            time = double_field(1, START_S + written * EVENT_S)
            yield time + step_field + bytes_field(5, bytes_field(1, value))


def _simple_value(value: float) -> bytes:
    return float_field(2, value)


def _scalar_tensor(value: float) -> bytes:
    return _TENSOR + struct.pack("<f", value) + _SCALARS_METADATA


_TENSOR = bytes_field(8, number_field(1, 1) + bytes_field(2, b"") + bytes_field(4, bytes(4)))[:-4]
"""DT_FLOAT, no dimensions, and `tensor_content` without its four bytes."""
_SCALARS_METADATA = bytes_field(9, bytes_field(1, bytes_field(1, "scalars")) + number_field(4, 1))


def _bucket_limits() -> npt.NDArray[np.float64]:
    """The 1,549 limits that TensorFlow, torch and tensorboardX share."""
    positive = [1e-12]
    while positive[-1] < 1e20:
        positive.append(positive[-1] * 1.1)
    return np.array([-limit for limit in reversed(positive)] + [0.0, *positive])


_LIMITS = _bucket_limits()
_WEIGHTS = 10_000  # how many numbers a histogram is made of


def _histogram(random: np.random.Generator, progress: float) -> bytes:
    """A `HistogramProto` of bell-shaped weights that spread; torch cuts empty ends off too."""
    spread = 0.02 + 0.2 * progress
    below = 1 / (1 + np.exp(np.clip(-1.702 / spread * _LIMITS, -700, 700)))
    expected = np.diff(below, prepend=0.0) * _WEIGHTS
    counts = np.floor(expected + random.random(len(expected)))
    filled = np.flatnonzero(counts)
    kept = slice(int(filled[0]), int(filled[-1]) + 1)
    limits, counts = _LIMITS[kept], counts[kept]
    total = counts * limits
    return b"".join(
        [
            double_field(1, float(limits[0] * 1.05)),
            double_field(2, float(limits[-1] * 0.95)),
            double_field(3, float(counts.sum())),
            double_field(4, float(total.sum())),
            double_field(5, float((total * limits).sum())),
            bytes_field(6, limits.astype("<f8").tobytes()),
            bytes_field(7, counts.astype("<f8").tobytes()),
        ]
    )


_SIDE = 128  # of an image, in pixels


def _image(random: np.random.Generator) -> bytes:
    """A `Summary.Image` with a PNG of noise, so that no two are alike: some 50 kB."""
    rows = random.integers(0, 256, (_SIDE, 1 + 3 * _SIDE), dtype=np.uint8)
    rows[:, 0] = 0  # no filter
    png = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in (
            (b"IHDR", struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 2, 0, 0, 0)),
            (b"IDAT", zlib.compress(rows.tobytes(), 1)),
            (b"IEND", b""),
        )
    )
    return (
        number_field(1, _SIDE) + number_field(2, _SIDE) + number_field(3, 3) + bytes_field(4, png)
    )
