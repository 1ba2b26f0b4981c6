"""An archive full of what breaks importers, and a list of it to look for in there."""

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
from runferry.model import (
    Address,
    ArtifactEntry,
    Blob,
    Inventory,
    MediaItem,
    Series,
    SeriesCounts,
)
from runferry.testing.recording import Float32, Histogram, Logged, Recording, Sample
from runferry.testing.reference import record
from runferry.testing.samples import (
    SECOND_NS,
    START_NS,
    all_samples,
    empty,
    header,
    many_keys,
    relatives,
)

Name = str | tuple[str, ...]


def crowd(name: str = "crowd", *, word: str = "a word", seconds: int | None = None) -> Sample:
    """All of it in one run, and in the same rows: what is hard alone is harder together.

    With `seconds`, its rows were all logged in so many.
    """
    run = Recording(header(name, name="a/b", tags=("a/b", "a_b", "")))
    run.attributes(
        "config", {"a/b": math.nan, "a_b": 2**60 + 1, ("a", "b"): -0.0, "system.cpu": {}}
    )
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
            "损失/训练": word if row % 2 else -0.0,
        }
        since_ns = row * SECOND_NS + row if seconds is None else row % seconds * SECOND_NS
        time_ns = None if row == 7 else START_NS + since_ns
        run.log(logged, step=step, step_frac=fraction, time_ns=time_ns)
        run.log({"cpu": float(row)}, time_ns=time_ns, stream="system")
    return belongings(run).sample()


def belongings(run: Recording) -> Recording:
    """What a run has besides numbers and words, some of it missing."""
    gone = Blob(size=10, media_type="image/png", sha256="0" * 64)
    table = Blob.from_bytes(b'{"columns":["a"],"data":[[1]]}', "application/json")
    media: dict[Name, Logged] = {
        "a/image": MediaItem("", Address(0), "image", gone, caption="gone"),
        "a_image": MediaItem("", Address(0), "image", Blob.from_bytes(b"\x89PNG\r\n\x1a\n")),
        "table": MediaItem("", Address(0), "table", table),
        "weights": Histogram((-math.inf, 0.0, 1.0), (1, 2)),
    }
    run.log(media, step=3, time_ns=START_NS)
    run.console([("stdout", "\r 10%|█  |\r 20%|██ |\n", START_NS), ("stderr", "no end", None)])
    run.put(chunks.File("gone.ckpt", "checkpoint", Blob(size=5)))
    run.put(chunks.File("dir", "other", Blob.from_bytes(b"a file")))
    run.put(chunks.File("dir/inside", "other", Blob.from_bytes(b"below it")))
    entries = (ArtifactEntry("gone.bin", Blob(size=3)), ArtifactEntry("here.bin", table))
    run.put(chunks.Artifact("model", "model", "produced", version="v0", entries=entries))
    return run.put(chunks.Raw("telemetry", "unknown record", b"\x00\xff", seq=3))


def every_run(keys: int) -> tuple[Sample, ...]:
    """Every sample there is, the run with so many keys, and the crowd."""
    return (*all_samples(keys=keys), crowd())


def few_runs(keys: int) -> tuple[Sample, ...]:
    """As few as have every nasty, for destinations that take seconds for each run."""
    kin = {"forked", "resumed", "unfinished"}
    relations = (sample for sample in relatives() if sample.run.key.run_id in kin)
    return (crowd(), many_keys(keys), empty(), *relations)


def archive_of_nasties(folder: Path, samples: tuple[Sample, ...]) -> Archive:
    """These runs, pulled into an archive."""
    archive = Archive.open(folder / "archive", create=True, reserve=0)
    report = pull_from(record(samples, folder / "origin"), archive)
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
        """Whether one run has series, and configuration, of all these paths."""
        return any(
            set(paths) <= {item.path for item in inventory.series}
            and set(paths) <= {item.path for item in inventory.attributes if item.role == "config"}
            for inventory in self.inventories
        )

    def keyed(self, path: tuple[str, ...], stream: str) -> bool:
        """Whether any run has this series."""
        return any(item.path == path and item.stream == stream for item in self.series)

    def grown_from(self, kind: str) -> bool:
        """Whether any run is a fork, a rewind or a resumption of another."""
        forks = (inventory.run.forked_from for inventory in self.inventories)
        return any(fork is not None and fork.kind == kind for fork in forks)

    def lacks(self, kind: str) -> bool:
        """Whether bytes of this kind are named and not there."""
        return any(inventory.missing.get(kind, 0) for inventory in self.inventories)

    def has(self, kind: str) -> bool:
        """Whether there are rows of this kind."""
        return any(inventory.rows.get(kind, 0) for inventory in self.inventories)

    @property
    def most_keys(self) -> int:
        """Of the run that has most."""
        return max(len(inventory.series) for inventory in self.inventories)


NASTIES: Mapping[str, Callable[[Found], bool]] = {
    "NaN": lambda found: found.counts("nan"),
    "+Inf": lambda found: found.counts("positive_inf"),
    "-Inf": lambda found: found.counts("negative_inf"),
    "-0.0": lambda found: found.holds(-0.0),
    "2^60": lambda found: found.holds(2.0**60),
    "2^60 + 1": lambda found: found.counts("inexact_ints"),
    "null value": lambda found: found.counts("null_values"),
    "duplicate step": lambda found: found.counts("duplicate_steps"),
    "falling step": lambda found: found.counts("falling_steps"),
    "fractional step": lambda found: found.counts("fractional_steps"),
    "null step": lambda found: found.counts("null_steps"),
    "negative step": lambda found: found.counts("negative_steps"),
    "null time": lambda found: found.counts("null_times"),
    "a/b, a_b, {a: {b}}": lambda found: found.together(("a/b",), ("a_b",), ("a", "b")),
    "a user's system.cpu": lambda found: found.keyed(("system.cpu",), "user"),
    "the machine's cpu": lambda found: found.keyed(("cpu",), "system"),
    "Unicode": lambda found: found.keyed(("损失/训练",), "user"),
    "300 characters": lambda found: found.keyed(("k" * 300,), "user"),
    "empty config": lambda found: any(not one.attributes for one in found.inventories),
    "missing media": lambda found: found.lacks("image"),
    "missing file": lambda found: found.lacks("file"),
    "resumed": lambda found: found.grown_from("resume"),
    "forked": lambda found: found.grown_from("fork"),
    "unfinished": lambda found: any(
        one.run.state == "running" and not one.run.complete for one in found.inventories
    ),
    "text": lambda found: found.has("text"),
    "histogram": lambda found: found.has("histogram"),
    "table": lambda found: found.has("table"),
    "console": lambda found: found.has("console"),
    "artifact": lambda found: found.has("artifact"),
    "raw": lambda found: found.has("raw"),
}
"""What the walk carries, and how to see that an archive has it."""
