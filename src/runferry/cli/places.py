"""What stands at a place: its archive, or its runs brought into one that is gone afterwards."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runferry.cli.session import Session

if TYPE_CHECKING:
    from runferry.archive.store import Archive
    from runferry.model import Inventory
    from runferry.ports import Location, ReadOptions
    from runferry.transfer.report import RunOutcome
    from runferry.transfer.selection import Selection


def source(text: str) -> Location:
    """The place to read from. Raises BadLocation, NotFound."""
    from runferry import registry

    return registry.locate(text, role="source")


def read_options(session: Session) -> ReadOptions:
    """What a reader is told."""
    from runferry.ports import ReadOptions

    return ReadOptions(timezone=session.settings.timezone)


def own_archive(session: Session, path: str | None) -> Archive:
    """The archive that was named, else the one of the settings. Raises NotFound, NewerFormat."""
    from runferry.archive.store import Archive

    return Archive.open(Path(path).expanduser() if path else session.settings.archive)


@dataclass(frozen=True, slots=True)
class Survey:
    """An archive that holds the selected runs of a place, and may hold others."""

    archive: Archive
    failures: tuple[RunOutcome, ...] = ()

    def inventories(self, selection: Selection) -> Iterator[Inventory]:
        """What is known of each selected run, one at a time."""
        for record in self.archive.records():
            if selection.takes_run(record.run):
                yield self.archive.inventory(record)


@contextmanager
def surveyed(session: Session, text: str) -> Iterator[Survey]:
    """Surveys a place. Counts are the archive's: what is none is pulled into a temporary one."""
    from runferry.archive.store import Archive
    from runferry.transfer.pull import pull

    location = source(text)
    if location.tracker == "archive":
        yield Survey(Archive.open(location.path))
        return
    with tempfile.TemporaryDirectory(prefix="runferry-") as folder:
        archive = Archive.open(Path(folder), create=True)
        with session.working() as (observer, stop):
            report = pull(
                location,
                archive,
                options=read_options(session),
                selection=session.selection,
                workers=session.settings.workers,
                reserve_bytes=session.settings.reserve_bytes,
                observer=observer,
                stop=stop,
            )
        if report.is_interrupted:
            raise KeyboardInterrupt
        yield Survey(archive, report.failures)
