"""Pull, push and verify in one go, by way of an archive that makes the next one incremental."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, TypedDict

from runferry.errors import UsageError
from runferry.losses import Fate
from runferry.ports import Location, ReadOptions
from runferry.registry import ARCHIVE, is_readable
from runferry.transfer.destination import check_apart, ledger_key
from runferry.transfer.migrations import notes, notes_on_standing
from runferry.transfer.patience import Patience
from runferry.transfer.progress import Observer, Silent, StopToken
from runferry.transfer.pull import pull
from runferry.transfer.push import plan_all, push, selected_headers
from runferry.transfer.report import ConvertReport, Report, VerifyReport, moved
from runferry.transfer.selection import EVERYTHING, Selection
from runferry.transfer.space import RESERVE_BYTES
from runferry.transfer.trip import is_whole_of
from runferry.transfer.verify import verify_archive

if TYPE_CHECKING:
    from runferry.archive.store import Archive

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ConvertOptions:
    """How a conversion is done; the defaults are those of the command line."""

    read: ReadOptions = field(default_factory=ReadOptions)
    selection: Selection = EVERYTHING
    workers: int = 1
    allow: Fate = Fate.REENCODED
    dry_run: bool = False  # pulls, and plans; sends nothing
    verifies: bool = True
    discards: bool = False  # empties the archive of what was verified
    restart: bool = False
    reserve_bytes: int = RESERVE_BYTES
    patience: Patience = field(default_factory=Patience)


def convert(
    source: Location,
    destination: Location,
    archive: Archive,
    options: ConvertOptions | None = None,
    *,
    observer: Observer | None = None,
    stop: StopToken | None = None,
) -> ConvertReport:
    """Move every selected run of the source; what is there already stays put.

    Other runs of the archive, pulled from elsewhere, are none of its business.
    A dry run pulls into the archive too, since only rows tell what would be lost; the next run
    finds them there. `archive` may be the source itself, or the destination: then that phase has
    nothing to do. Runs that the ledger knows as verified are not compared again. Raises UsageError
    when source and destination are one place, and when discarding would take away what was not
    sent, or the source itself.
    """
    options = options or ConvertOptions()
    observer, stop = observer or Silent(), stop or StopToken()
    check_apart(source, destination)
    if options.discards:
        _check_discarding(source, archive, options)
    road = _Road(source, destination, archive, options, observer, stop)
    pulled = road.pulled()
    if not is_at(source, archive):
        uids = frozenset(outcome.uid for outcome in pulled.outcomes)
        selection = options.selection.of_runs(uids)
        road = replace(road, options=replace(options, selection=selection))
    pushed = road.planned() if options.dry_run else road.pushed()
    verified = road.verified() if road.is_to_verify(pushed) else None
    discarded = road.discard() if options.discards and verified is not None else 0
    is_any = any(outcome.error is None for outcome in moved(pushed.outcomes))
    told = [*notes(source, destination)] if is_any else []
    if not (options.dry_run or options.restart):
        told += notes_on_standing(destination, pushed.outcomes)
    return ConvertReport(pulled, pushed, verified, discarded, str(archive.path), tuple(told))


def _check_discarding(source: Location, archive: Archive, options: ConvertOptions) -> None:
    if options.selection.metrics:
        raise UsageError(
            "--discard takes whole runs out of the archive, and --metric sends only some series",
            hint="leave out one of the two",
        )
    if is_at(source, archive):
        raise UsageError(
            "--discard would empty the source",
            where=str(source),
            hint=f"convert without --discard; to remove the archive: rm -r '{source.where}'",
        )


def is_at(place: Location, archive: Archive) -> bool:
    """Whether a location is this very archive."""
    return place.tracker == ARCHIVE and place.path.resolve() == archive.path.resolve()


class _Moving(TypedDict):
    """What pulling and pushing are told alike."""

    selection: Selection
    workers: int
    allow: Fate
    observer: Observer
    stop: StopToken


@dataclass(frozen=True, slots=True)
class _Road:
    source: Location
    destination: Location
    archive: Archive
    options: ConvertOptions
    observer: Observer
    stop: StopToken

    @property
    def _moving(self) -> _Moving:
        options = self.options
        return {
            "selection": options.selection,
            "workers": options.workers,
            "allow": options.allow,
            "observer": self.observer,
            "stop": self.stop,
        }

    def _idle(self, phase: Literal["pull", "push"], end: Location) -> Report:
        """Of a phase whose end is the archive itself."""
        return Report(phase, str(end), str(end), self.options.allow)

    def pulled(self) -> Report:
        """Source into archive."""
        if is_at(self.source, self.archive):
            return self._idle("pull", self.source)
        read, reserve_bytes = self.options.read, self.options.reserve_bytes
        return pull(
            self.source, self.archive, options=read, reserve_bytes=reserve_bytes, **self._moving
        )

    def planned(self) -> Report:
        """What pushing would do."""
        return plan_all(
            self.archive,
            self.destination,
            selection=self.options.selection,
            allow=self.options.allow,
            observer=self.observer,
            stop=self.stop,
        )

    def pushed(self) -> Report:
        """Archive into destination."""
        if is_at(self.destination, self.archive):
            return self._idle("push", self.destination)
        restart, patience = self.options.restart, self.options.patience
        return push(
            self.archive, self.destination, restart=restart, patience=patience, **self._moving
        )

    def is_to_verify(self, pushed: Report) -> bool:
        """Whether there is anything to compare."""
        is_there = not self.options.dry_run and not is_at(self.destination, self.archive)
        went_through = pushed.aborted is None and not self.stop.is_set
        if not (self.options.verifies and is_there and went_through):
            return False
        if not is_readable(self.destination):
            _log.warning("%s cannot be read: what arrived is not verified", self.destination)
            return False
        return True

    def verified(self) -> VerifyReport:
        """The destination against the archive."""
        options = self.options
        return verify_archive(
            self.archive,
            self.destination,
            options=options.read,
            selection=options.selection,
            workers=options.workers,
            allow=options.allow,
            stages=("sealed",),
            observer=self.observer,
            stop=self.stop,
        )

    def discard(self) -> int:
        """Take out of the archive what is verified; the ledger still knows that it was sent.

        A run of which something was left out stays: only the archive has that. So does one that has
        grown since it was verified, where its growth did not go through.
        """
        discarded = 0
        for header in list(selected_headers(self.archive, self.options.selection)):
            delivery = self.archive.ledger.get(header.uid, ledger_key(self.destination))
            if delivery is None or delivery.stage != "verified":
                continue
            record = self.archive.record(header.uid)
            if record is None or not is_whole_of(delivery, record):
                continue
            if not any(loss.fate is Fate.EXCLUDED for loss in delivery.losses):
                self.archive.remove(header.uid)
                discarded += 1
        return discarded
