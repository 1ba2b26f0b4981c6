"""Short ways through pull, push and verify, with the reference tracker at both ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from runferry import chunks
from runferry.archive.store import Archive
from runferry.model import Run
from runferry.ports import Limits, Location, ReadOptions
from runferry.testing import content
from runferry.testing.recording import Recording, Sample
from runferry.testing.reference import (
    EVERYTHING,
    FaithfulWriter,
    ReferenceReader,
    ReferenceWriter,
    record,
)
from runferry.testing.samples import header
from runferry.transfer.patience import Patience
from runferry.transfer.pull import pull
from runferry.transfer.push import push
from runferry.transfer.report import Report, VerifyReport
from runferry.transfer.verify import verify_archive

IMPATIENT = Patience(seconds=0.2, first_pause=0.01, longest_pause=0.02)


def archive_of(samples: Iterable[Sample], folder: Path) -> Archive:
    """An archive with these runs, pulled from a reference source beside it."""
    archive = Archive.open(folder / "archive", create=True, reserve=0)
    pull_from(record(samples, folder / "source"), archive)
    return archive


def pull_from(source: Location, archive: Archive, **options: Any) -> Report:
    return pull(
        source,
        archive,
        open_reader=lambda: ReferenceReader.open(source, ReadOptions()),
        reserve_bytes=0,
        **options,
    )


def place(folder: Path) -> Location:
    return Location("reference", str(folder))


def push_to(
    archive: Archive,
    folder: Path,
    kind: type[ReferenceWriter] = FaithfulWriter,
    open_writer: Callable[[], Any] | None = None,
    **options: Any,
) -> Report:
    there = place(folder)
    return push(
        archive,
        there,
        open_writer=open_writer or (lambda: kind.open(there)),
        open_reader=lambda: ReferenceReader.open(there, ReadOptions()),
        patience=IMPATIENT,
        **options,
    )


def verify_with(
    archive: Archive, folder: Path, limits: Limits = FaithfulWriter.limits, **options: Any
) -> VerifyReport:
    there = place(folder)
    return verify_archive(
        archive,
        there,
        open_reader=lambda: ReferenceReader.open(there, ReadOptions()),
        limits=limits,
        **options,
    )


def arrived(folder: Path) -> dict[str, Any]:
    """What a reference tracker holds, by the mark of the run; twice the same mark is an error."""
    reader = ReferenceReader.open(place(folder), ReadOptions())
    found: dict[str, Any] = {}
    for run in reader.runs():
        mark = run.origin_uid or run.uid
        assert mark not in found, "the same run twice"
        held = content.Content.of(reader.read(run)).comparable()
        held["header"] = replace(held["header"], key=run.key.__class__("", "", mark))
        found[mark] = held
    return found


def archived(archive: Archive) -> dict[str, Any]:
    """What an archive holds, by run id."""
    return {
        found.run.key.run_id: content.Content.of(archive.chunks(found)).comparable()
        for found in archive.records()
    }


@dataclass
class Curve:
    """A run that can be made to go on."""

    run: Run = field(default_factory=lambda: header("curve"))

    def sample(
        self,
        rows: int,
        *,
        ended: tuple[int, ...] = (),
        keys: tuple[str, ...] = ("loss", "acc"),
        at: int = 0,
    ) -> Sample:
        """So many steps; `ended` are those at which it had ended before, and then went on."""
        recording = Recording(self.run)
        for step in range(rows):
            if step in ended:
                recording.put(chunks.Header(self.run)).checkpoint()
            values = {key: float(step) + at + number / 8 for number, key in enumerate(keys)}
            recording.log(values, step=step, time_ns=1_700_000_000_000_000_000 + step * 1_000_000)
            if step % 10 == 9:
                recording.checkpoint()
        return recording.sample()


def chunk_count(archive: Archive) -> int:
    return sum(
        sum(not isinstance(c, chunks.Checkpoint) for c in archive.chunks(found))
        for found in archive.records()
    )


HOLDS = EVERYTHING
