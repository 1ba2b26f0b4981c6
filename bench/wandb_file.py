"""Writes `.wandb` files byte by byte, laid out as wandb 0.31 lays them out. No SDK.

The wire format is that of wandb_internal.proto; records come in the client's order and spelling:
one history record a step with `nested_key` items in random order, two summary records around it.
"""

from __future__ import annotations

import json
import random
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from bench.protobuf import bytes_field, number_field

BLOCK = 32_768
FRAME = struct.Struct("<IHB")  # crc u32, length u16, type u8
FILE_HEADER = b":W&B\xe1\xbe\x00"
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4


class FrameWriter:
    """Frames records into blocks of 32 KiB, header and checksums included."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._used = out.write(FILE_HEADER)  # of the block that is being filled

    def write(self, record: bytes) -> None:
        """Append one record, split where a block ends."""
        used, size = self._used, len(record)
        if size <= BLOCK - used - FRAME.size:
            checksum = zlib.crc32(record, _TYPE_CRC[FULL])
            self._out.write(FRAME.pack(checksum, size, FULL) + record)
            self._used = used + FRAME.size + size
            return
        begin, kind = 0, FIRST
        while True:
            room = BLOCK - used
            if room < FRAME.size:
                self._out.write(bytes(room))
                used, room = 0, BLOCK
            part = record[begin : begin + room - FRAME.size]
            begin += len(part)
            if begin == size:
                kind = LAST if kind == MIDDLE else FULL
            self._out.write(FRAME.pack(zlib.crc32(part, _TYPE_CRC[kind]), len(part), kind) + part)
            used += FRAME.size + len(part)
            if begin == size:
                break
            kind = MIDDLE
        self._used = used


_TYPE_CRC = {kind: zlib.crc32(bytes([kind])) for kind in (FULL, FIRST, MIDDLE, LAST)}


# --- messages -------------------------------------------------------------------------------------


def record(number: int, field: int, body: bytes) -> bytes:
    """A `Record` with its `num` and one member of the oneof."""
    return number_field(1, number) + bytes_field(field, body)


def time_message(time_ns: int) -> bytes:
    """A `google.protobuf.Timestamp`."""
    seconds, nanos = divmod(time_ns, 1_000_000_000)
    return number_field(1, seconds) + number_field(2, nanos)


def item(path: Sequence[str], value_json: str) -> bytes:
    """A `HistoryItem`, `SummaryItem` or `ConfigItem` with a nested key, without its own tag."""
    return b"".join(bytes_field(2, part) for part in path) + bytes_field(16, value_json)


def plain_item(key: str, value_json: str) -> bytes:
    """A `ConfigItem` or `StatsItem` with a plain key, without its own tag."""
    return bytes_field(1, key) + bytes_field(16, value_json)


# --- runs -----------------------------------------------------------------------------------------

START_NS = 1_760_000_000_000_000_000
STEP_NS = 1_234_567
_POOL = 997  # different rows of values; prime, so that they do not beat with anything


@dataclass(frozen=True, slots=True)
class RunShape:
    """What a generated run holds."""

    run_id: str = "bench"
    steps: int = 200
    metrics: int = 5
    console_lines: int = 0
    stats: int = 0
    start_ns: int = START_NS
    seed: int = 20

    @property
    def keys(self) -> list[str]:
        """The metrics' names."""
        return [f"train/metric_{number:02d}" for number in range(self.metrics)]


def write_run(path: Path, run: RunShape) -> None:
    """Create the `.wandb` file of one run: all its records, from header to exit."""
    with path.open("xb", buffering=1 << 20) as out:
        frames = FrameWriter(out)
        for number, (field, body) in enumerate(_records(run), start=1):
            frames.write(record(number, field, body))


def _records(run: RunShape) -> Iterator[tuple[int, bytes]]:
    yield 21, bytes_field(1, bytes_field(1, "0.31.0") + bytes_field(2, "0.70.0"))
    yield 17, _run_body(run)
    yield 6, bytes_field(1, bytes_field(1, "requirements.txt") + number_field(3, 1))
    yield 11, bytes_field(4, "3.11.7") + bytes_field(5, "0.31.0")
    for number in range(run.console_lines):
        time_ns = run.start_ns + number * 1_000_000
        line = f"epoch {number}: loss {1 / (number + 1):.6f}\n"
        yield 13, number_field(1, 1) + bytes_field(2, time_message(time_ns)) + bytes_field(3, line)
    for number in range(run.stats):
        yield 7, _stats_body(run, number)
    yield from _history(run)
    yield 18, number_field(2, run.steps * STEP_NS // 1_000_000_000)


def _run_body(run: RunShape) -> bytes:
    config = {
        "_wandb": {},
        "lr": 0.001,
        "batch_size": 64,
        "optimizer": {"name": "adam", "betas": [0.9, 0.999]},
        "layers": [64, 64],
        "seed": run.seed,
    }
    updates = b"".join(
        bytes_field(1, plain_item(key, json.dumps(value))) for key, value in config.items()
    )
    return b"".join(
        [
            bytes_field(1, run.run_id),
            bytes_field(3, "bench"),
            bytes_field(4, updates),
            bytes_field(8, f"run {run.run_id}"),
            bytes_field(10, "baseline"),
            bytes_field(17, time_message(run.start_ns)),
        ]
    )


def _stats_body(run: RunShape, number: int) -> bytes:
    values = {"cpu": number % 100 / 2, "memory_percent": 12.5, "proc.cpu.threads": 3.0}
    return (
        number_field(1, 0)
        + bytes_field(2, time_message(run.start_ns + number * 15_000_000_000))
        + b"".join(bytes_field(3, plain_item(key, repr(value))) for key, value in values.items())
    )


def _history(run: RunShape) -> Iterator[tuple[int, bytes]]:
    pool = _metric_pool(run)
    begin = run.start_ns / 1e9
    for step in range(run.steps):
        metrics = pool[step % len(pool)]
        runtime = step * STEP_NS / 1e9
        own = _own_columns(step, runtime, begin + runtime)
        yield 3, _RUNTIME_BEFORE + bytes_field(1, item(["_runtime"], str(int(runtime))))
        yield 2, metrics + own + bytes_field(2, number_field(1, step))
        yield 3, metrics + own


def _metric_pool(run: RunShape) -> list[bytes]:
    """Rows of metrics as tagged items; items of history and of summary are spelled alike."""
    source = random.Random(run.seed)
    return [
        b"".join(
            bytes_field(1, item([key], repr(source.gauss(0.0, 1.0))))
            for key in source.sample(run.keys, run.metrics)
        )
        for _ in range(min(run.steps, _POOL))
    ]


def _own_columns(step: int, runtime: float, timestamp: float) -> bytes:
    columns: Iterable[tuple[str, str]] = (
        ("_runtime", repr(runtime)),
        ("_timestamp", _as_go_writes(timestamp)),
        ("_step", str(step)),
    )
    return b"".join(bytes_field(1, item([key], value)) for key, value in columns)


def _as_go_writes(timestamp: float) -> str:
    digits = repr(timestamp).replace(".", "")
    return f"{digits[0]}.{digits[1:]}e+09"  # seconds of these decades have ten digits


_RUNTIME_BEFORE = bytes_field(1, item(["_wandb", "runtime"], "0"))
