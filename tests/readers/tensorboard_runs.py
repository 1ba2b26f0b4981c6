"""Writes event files, by tensorboardX and event by event, and gathers what the reader yields."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from pathlib import Path

from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboardX import SummaryWriter
from tensorboardX.record_writer import masked_crc32c
from tests.readers.gathered import Gathered, gather

from runferry.model import Cursor
from runferry.ports import Location, ReadOptions
from runferry.readers.tensorboard import TensorboardReader

START = 1_700_000_000


def opened(path: Path) -> TensorboardReader:
    return TensorboardReader.open(Location("tensorboard", str(path)), ReadOptions())


def gather_all(path: Path) -> dict[str, Gathered]:
    """By the names of the runs."""
    reader = opened(path)
    return {run.name or "": gather(reader, run) for run in reader.runs()}


def gather_one(path: Path, after: Cursor | None = None) -> Gathered:
    reader = opened(path)
    (run,) = reader.runs()
    return gather(reader, run, after)


# --- by tensorboardX ------------------------------------------------------------------------------


def logged(folder: Path, fill: Callable[[SummaryWriter], object]) -> Path:
    """What tensorboardX leaves of this in a folder; returns the folder."""
    with SummaryWriter(logdir=str(folder), write_to_disk=True) as writer:
        fill(writer)
    return folder


def named(folder: Path, seconds: int, suffix: str = "host.7.0") -> Path:
    """The folder's only event file, under a name of that time; two cannot come in one second."""
    (file,) = folder.glob("events.out.*")
    return file.rename(folder / f"events.out.tfevents.{seconds}.{suffix}")


# --- event by event -------------------------------------------------------------------------------


def record(content: bytes) -> bytes:
    """One record as TFRecord frames it."""
    length = struct.pack("<Q", len(content))
    return b"".join(
        (
            length,
            struct.pack("<I", masked_crc32c(length)),
            content,
            struct.pack("<I", masked_crc32c(content)),
        )
    )


def version(at: float = START) -> event_pb2.Event:
    return event_pb2.Event(wall_time=at, file_version="brain.Event:2")


def scalar(tag: str, step: int, value: float, at: float | None = None) -> event_pb2.Event:
    summary = summary_pb2.Summary()
    summary.value.add(tag=tag, simple_value=value)
    wall_time = START + step if at is None else at
    return event_pb2.Event(wall_time=wall_time, step=step, summary=summary)


def framed(events: Iterable[event_pb2.Event]) -> bytes:
    return b"".join(record(event.SerializeToString()) for event in events)


def event_file(
    folder: Path, events: Iterable[event_pb2.Event], seconds: int = START, suffix: str = "host.7.0"
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"events.out.tfevents.{seconds}.{suffix}"
    path.write_bytes(framed(events))
    return path


def losses(tag: str, steps: range) -> list[event_pb2.Event]:
    """A small series with its beginning."""
    return [version(), *(scalar(tag, step, step / 7) for step in steps)]
