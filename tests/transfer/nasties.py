"""One archive full of what breaks importers, and a list of it that is checked against the archive."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.transfer.roads import pull_from

from runferry import chunks
from runferry.archive.store import Archive
from runferry.model import Inventory, Series, SeriesCounts
from runferry.testing.recording import Float32, Logged, Recording, Sample
from runferry.testing.reference import record
from runferry.testing.samples import SECOND_NS, START_NS, all_samples, header

Name = str | tuple[str, ...]


def crowd() -> Sample:
    """All of it in one run, and in the same rows: what is hard alone is harder together."""
    run = Recording(header("crowd", name="a/b", tags=("a/b", "a_b", "")))
    run.attributes("config", {"a/b": math.nan, "a_b": 2**60 + 1, ("a", "b"): -0.0, "system.cpu": {}})
    values = (math.nan, math.inf, -math.inf, -0.0, 2**60, 2**60 + 1, None, True, Float32(0.1))
    at = ((0, None), (3, None), (3, None), (1, 250_000), (None, None), (2**40, None), (-1, None))
    for row, value in enumerate(values * 3):
        step, fraction = at[row % len(at)]
        logged: dict[Name, Logged] = {
            "a/b": value,
            "a_b": row / 3,
            ("a", "b"): values[row % 5],
            "system.cpu": float(row),
            "k" * 300: value,
            "损失/训练": "NaN" if row % 2 else -0.0,
        }
        time_ns = None if row == 7 else START_NS + row % 4 * SECOND_NS + row
        run.log(logged, step=step, step_frac=fraction, time_ns=time_ns)
        run.log({"cpu": float(row)}, time_ns=time_ns, stream="system")
    return run.sample()


def archive_of_nasties(folder: Path, keys: int) -> Archive:
    """Every sample, the run with so many keys, and the crowd, pulled into one archive."""
    archive = Archive.open(folder / "archive", create=True, reserve=0)
    origin = record((*all_samples(keys=keys), crowd()), folder / "origin")
    report = pull_from(origin, archive)
    assert not report.failures, report.failures
    return archive


@dataclass
class Found:
    """What an archive holds, as the questions below need it."""

    archive: Archive

    @cached_property
    def inventories(self) -> tuple[Inventory, ...]:
        return tuple(self.archive.inventory(record) for record in self.archive.records())

    @cached_property
    def values(self) -> frozenset[bytes]:
        """Every float of every run, bit by bit."""
        return frozenset(
            struct.pack("<d", value)
            for record in self.archive.records()
            for chunk in self.archive.chunks(record)
            if isinstance(chunk, chunks.Points)
            for value in chunk.batch.column("value").to_pylist()
            if value is not None
        )

    @property
    def series(self) -> Iterator[Series]:
        return (item for inventory in self.inventories for item in inventory.series)

    def holds(self, number: float) -> bool:
        return struct.pack("<d", number) in self.values

    def counts(self, name: str) -> bool:
        """Whether any series has some of what this field of its counts counts."""
        counted = (item.counts or SeriesCounts() for item in self.series)
        return any(getattr(counts, name) for counts in counted)

    def together(self, *paths: tuple[str, ...]) -> bool:
        """Whether one run has series, and another or the same attributes, of all these paths."""
        return any(
            set(paths) <= {item.path for item in inventory.series}
            and set(paths) <= {item.path for item in inventory.attributes if item.role == "config"}
            for inventory in self.inventories
        )

    def run(self, question: Callable[[Inventory], bool]) -> bool:
        return any(map(question, self.inventories))


NASTIES: Mapping[str, Callable[[Found, int], bool]] = {
    "NaN": lambda found, _: found.counts("nan"),
    "+Inf": lambda found, _: found.counts("positive_inf"),
    "-Inf": lambda found, _: found.counts("negative_inf"),
    "-0.0": lambda found, _: found.holds(-0.0),
    "2^60": lambda found, _: found.holds(2.0**60),
    "2^60 + 1": lambda found, _: found.counts("inexact_ints"),
    "null value": lambda found, _: found.counts("null_values"),
    "duplicate step": lambda found, _: found.counts("duplicate_steps"),
    "falling step": lambda found, _: found.counts("falling_steps"),
    "fractional step": lambda found, _: found.counts("fractional_steps"),
    "null step": lambda found, _: found.counts("null_steps"),
    "negative step": lambda found, _: found.counts("negative_steps"),
    "null time": lambda found, _: found.counts("null_times"),
    "a/b beside a_b beside {a: {b}}": lambda found, _: found.together(
        ("a/b",), ("a_b",), ("a", "b")
    ),
    "a user's system.cpu": lambda found, _: any(
        item.path == ("system.cpu",) and item.stream == "user" for item in found.series
    ),
    "the system's cpu": lambda found, _: any(
        item.path == ("cpu",) and item.stream == "system" for item in found.series
    ),
    "Unicode": lambda found, _: any(not item.key.isascii() for item in found.series),
    "a key of 300 characters": lambda found, _: any(len(item.key) == 300 for item in found.series),
    "so many keys": lambda found, keys: found.run(lambda run: len(run.series) >= keys),
    "empty config": lambda found, _: found.run(lambda run: not run.attributes),
    "missing media": lambda found, _: found.run(lambda run: run.missing.get("image", 0) > 0),
    "missing file": lambda found, _: found.run(lambda run: run.missing.get("file", 0) > 0),
    "resumed": lambda found, _: found.run(
        lambda run: run.run.forked_from is not None and run.run.forked_from.kind == "resume"
    ),
    "forked": lambda found, _: found.run(
        lambda run: run.run.forked_from is not None and run.run.forked_from.kind == "fork"
    ),
    "unfinished": lambda found, _: found.run(
        lambda run: run.run.state == "running" and not run.run.complete
    ),
    **{
        f"some {kind}": lambda found, _, kind=kind: found.run(  # type: ignore[misc]
            lambda run: run.rows.get(kind, 0) > 0
        )
        for kind in ("text", "histogram", "image", "table", "console", "file", "artifact", "raw")
    },
}
"""What the walk carries, and how to see that an archive has it."""
