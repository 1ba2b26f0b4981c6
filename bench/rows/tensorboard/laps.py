"""The inputs, and what everybody took for them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench import child, generate
from bench.environments import TBPARSE, TENSORBOARD
from bench.event_file import EventsShape
from bench.scratch import scratch
from bench.size import Size

WORKERS = 2


@dataclass(frozen=True, slots=True)
class Events:
    """An event file, and what it is called in a row."""

    name: str
    shape: EventsShape
    file: Path
    tbparse: tuple[str, ...]  # what tbparse calls that which is in it


def inputs_of(size: Size) -> Iterator[Events]:
    """Simple values, tensor scalars, and scalars among histograms and images."""
    simple = EventsShape(size.simple_steps)
    tensor = EventsShape(size.tensor_steps, form="tensor")
    mixed = mixed_shape(size.mixed_steps)
    for name, shape, kinds in (
        (f"{simple.steps * simple.scalars:,} simple values", simple, ("scalars",)),
        (f"{tensor.steps * tensor.scalars:,} tensor scalars", tensor, ("tensors",)),
        ("scalars, histograms, images", mixed, ("scalars", "histograms")),
    ):
        file = generate.event_file(shape)
        yield Events(f"{name}, {file.stat().st_size / 1e6:,.0f} MB", shape, file, kinds)


def mixed_shape(steps: int) -> EventsShape:
    """Mostly scalars, with histograms of 20 layers and an image now and then: 3 kB a step."""
    return EventsShape(steps, histograms=20, images=1)


@dataclass
class Laps:
    """Every measurement of one input, by who made it, in the order in which they were made."""

    native: list[child.Result] = field(default_factory=list)
    reader: list[child.Result] = field(default_factory=list)
    pulled: list[child.Result] = field(default_factory=list)
    server: list[child.Result] = field(default_factory=list)
    checking_server: list[child.Result] = field(default_factory=list)
    accumulator: list[child.Result] = field(default_factory=list)
    tbparse: list[child.Result] = field(default_factory=list)
    loader: list[child.Result] = field(default_factory=list)


def laps_of(events: Events) -> Laps:
    """Everybody in turns, three times; those who take minutes twice, and the oracle once."""
    file, folder = events.file, events.file.parent
    file.read_bytes()  # everybody finds it in the page cache
    last_steps = json.dumps(events.shape.last_steps)
    vendor = TENSORBOARD.python
    laps = Laps()
    for turn in range(3):
        laps.native.append(child.ours("events_native.py", file, on_cores=1))
        laps.reader.append(child.ours("events_reader.py", folder, on_cores=1))
        archive = scratch("events-archive")
        laps.pulled.append(child.ours("events_pull.py", folder, archive, WORKERS, on_cores=2))
        served = (file, last_steps)
        laps.server.append(child.work(vendor, "events_server.py", *served, on_cores=2))
        laps.checking_server.append(
            child.work(vendor, "events_server.py", *served, "--checksum", on_cores=2)
        )
        if turn < 2:
            laps.accumulator.append(child.work(vendor, "events_accumulator.py", file, on_cores=1))
            laps.tbparse.append(
                child.work(TBPARSE.python, "events_tbparse.py", file, *events.tbparse, on_cores=1)
            )
        if turn == 0:
            laps.loader.append(child.work(vendor, "events_loader.py", file, on_cores=1))
    scratch("events-archive")
    return laps


def wall(laps: Sequence[child.Result]) -> list[float]:
    """Seconds on the clock."""
    return [lap.lap_wall_seconds for lap in laps]


def cpu(laps: Sequence[child.Result]) -> list[float]:
    """Seconds of processor time."""
    return [lap.lap_cpu_seconds for lap in laps]
