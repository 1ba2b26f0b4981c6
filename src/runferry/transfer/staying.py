"""Runs of documents alone, such as a project's reports: on most ways they stay in the archive.

Where runs are shown such a one would be an empty run. Places that keep documents as they are
(archives, plain files) get it like any other, and with the switch `reports` all do.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from runferry.errors import ArchiveError
from runferry.losses import Fate
from runferry.model import Run, Uid
from runferry.ports import Location
from runferry.transfer.destination import ledger_key, limits_at
from runferry.transfer.exclusions import EVERY, REPORTS, left_out
from runferry.transfer.report import RunOutcome
from runferry.transfer.selection import Selection

if TYPE_CHECKING:
    from runferry.archive.store import Archive


def goes(run: Run, destination: Location, selection: Selection) -> bool:
    """Whether this run is sent there at all."""
    if run.kind != "documents" or selection.included & {REPORTS, EVERY}:
        return True
    return limits_at(destination).holds.get("document") is Fate.KEPT


def going(runs: Iterable[Run], destination: Location, selection: Selection) -> list[Run]:
    """Those that are sent there."""
    return list(filter(partial(goes, destination=destination, selection=selection), runs))


def parted(
    archive: Archive,
    runs: Iterable[Run],
    destination: Location,
    selection: Selection,
    found: Container[Uid] = frozenset(),
) -> tuple[list[Run], list[RunOutcome]]:
    """Those whose copies there count, and what is told of the others.

    What an earlier push was asked to send counts too, as the ledger knows it, and what was `found`
    there, which may be the source itself.
    """
    place = ledger_key(destination)
    counting, staying = list[Run](), list[Run]()
    for run in runs:
        is_sent = goes(run, destination, selection) or archive.ledger.get(run.uid, place)
        (counting if is_sent or run.uid in found else staying).append(run)
    return counting, list(outcomes_of_staying(archive, staying, destination, selection))


def outcomes_of_staying(
    archive: Archive, runs: Iterable[Run], destination: Location, selection: Selection
) -> Iterator[RunOutcome]:
    """What is told of the others: how many documents nobody will find there."""
    for run in runs:
        if goes(run, destination, selection):
            continue
        try:
            record = archive.record(run.uid)
        except ArchiveError as error:
            yield RunOutcome.failure(run, error)
            continue
        count = len(archive.snapshot(record, "documents")) if record is not None else 0
        losses = (left_out(REPORTS, "", count),) if count else ()
        yield RunOutcome.of(run, "excluded", losses=losses)
