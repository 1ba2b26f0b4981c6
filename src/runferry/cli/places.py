"""What stands at a place: its archive, or its runs brought into one that is gone afterwards."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from runferry.cli.session import Session
from runferry.errors import ArchiveError, ExitCode, NotFound, RunferryError
from runferry.transfer.report import Ended

if TYPE_CHECKING:
    from runferry.archive.store import Archive
    from runferry.model import Inventory, Run
    from runferry.ports import Location, ReadOptions
    from runferry.transfer.report import RunOutcome
    from runferry.transfer.selection import Selection


def located(text: str) -> Location:
    """The place to read from. Raises BadLocation, NotFound."""
    from runferry.locations import locate

    return locate(text, role="source")


def destined(text: str) -> Location:
    """The place to write to. Raises BadLocation."""
    from runferry.locations import locate

    return locate(text, role="destination")


def read_options(session: Session) -> ReadOptions:
    """What a reader is told."""
    from runferry.ports import ReadOptions, TableColumns

    asked = session.filters
    return ReadOptions(
        timezone=session.settings.timezone,
        include_deleted=bool(asked.get("include_deleted")),
        columns=TableColumns(
            asked.get("step_column"), asked.get("time_column"), asked.get("run_column")
        ),
    )


def own_archive(session: Session, path: str | None) -> Archive:
    """The archive that was named, else the one of the settings. Raises NotFound, NewerFormat."""
    from runferry.archive.store import Archive

    return Archive.open(own_folder(session, path))


def own_folder(session: Session, text: str | None) -> Path:
    """The folder of that archive. Raises NotFound, also where other runs are."""
    if not text:
        return session.settings.archive
    try:
        place = located(text)
    except NotFound as error:
        hint = f"runferry pull SOURCE {shlex.quote(text)}"
        raise NotFound("no archive is here", where=text, hint=hint) from error
    if place.tracker != "archive":
        hint = (
            f"runferry pull {shlex.quote(str(place))}, and name the archive that they are in then"
        )
        raise NotFound("here are runs, and no archive of them", where=str(place), hint=hint)
    return place.path


def new_archive(session: Session, path: str | None = None) -> Archive:
    """The same, made where there is none yet."""
    from runferry.archive.store import Archive

    return Archive.open(
        archive_folder(session, path), create=True, reserve=session.settings.reserve_bytes
    )


@contextmanager
def filled(archive: Archive) -> Iterator[Archive]:
    """An archive that runs are to come into; where none does, no new folder is left behind."""
    try:
        yield archive
    finally:
        archive.remove_unused()


def hub(session: Session, origin: Location, goal: Location) -> Archive:
    """The archive between two places: an end that is one, unless another was asked for."""
    if session.resolved.origins["archive"] == "default":
        for end in (goal, origin):
            if end.tracker == "archive":
                return new_archive(session, str(end))
    return new_archive(session)


def archive_folder(session: Session, text: str | None) -> Path:
    """A folder as a path or as `archive:PATH`."""
    return destined(text).path if text else session.settings.archive


@dataclass(frozen=True, slots=True)
class Survey(Ended):
    """An archive that holds the selected runs of a place, and may hold others."""

    where: Location  # what the place means: found out once, since it may be a tree of folders
    archive: Archive
    selection: Selection  # of these runs
    failures: list[RunOutcome] = field(default_factory=list)
    cause: RunferryError | None = None

    @property
    def exit_code(self) -> ExitCode:
        """What reading the runs came to; known when all were looked at."""
        if self.aborted is not None:
            return ExitCode.FAILED
        return ExitCode.SOME_FAILED if self.failures else ExitCode.DONE

    def unread_json(self) -> dict[str, object]:
        """What could not be read, as in the documented schema; known when all were looked at."""
        failed = [outcome.to_json() for outcome in self.failures]
        return {"aborted": self.aborted, "failed": failed}

    def inventories(self) -> Iterator[Inventory]:
        """What is known of each selected run, one at a time; damaged ones join the failures.

        Raises UsageError when runs were asked for and none is there.
        """
        headers = self.selection.some(self._headers, str(self.where))
        return inventories(self.archive, headers, self.failures)

    def _headers(self, selection: Selection) -> Iterator[Run]:
        return filter(selection.takes_run, self.archive.headers())


def inventories(
    archive: Archive, headers: Iterable[Run], failures: list[RunOutcome]
) -> Iterator[Inventory]:
    """What an archive knows of each of these runs, one at a time; damaged ones are failures."""
    from runferry.transfer.report import RunOutcome

    for header in headers:
        try:
            record = archive.record(header.uid)
            inventory = None if record is None else archive.inventory(record)
        except ArchiveError as error:
            failures.append(RunOutcome.failure(header, error))
            continue
        if inventory is not None:
            yield inventory


@contextmanager
def surveyed(session: Session, text: str) -> Iterator[Survey]:
    """Surveys a place. Counts are the archive's: what is none is pulled into a temporary one."""
    from runferry.archive.store import Archive
    from runferry.transfer.pull import pull

    location = located(text)
    if location.tracker == "archive":
        yield Survey(location, Archive.open(location.path), session.selection)
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
        taken = session.selection.of_runs(frozenset(run.uid for run in report.outcomes))
        yield Survey(location, archive, taken, list(report.failures), report.cause)
