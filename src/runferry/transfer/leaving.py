"""Which of an archive's runs go to a destination, and in which order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Self

from runferry.losses import Fate
from runferry.model import Run
from runferry.ports import Location
from runferry.registry import ARCHIVE
from runferry.transfer.arrival import Arrival, Foreseen
from runferry.transfer.destination import ledger_key, limits_at
from runferry.transfer.report import RunOutcome
from runferry.transfer.selection import Selection
from runferry.transfer.staying import going, outcomes_of_staying
from runferry.transfer.waves import waves_of

if TYPE_CHECKING:
    from runferry.archive.store import Archive


@dataclass(frozen=True)
class Leaving:
    """Of the runs that an archive has, those that go to a destination, and in which order."""

    headers: Sequence[Run]
    """Of all."""
    selected: Sequence[Run]
    stays: Sequence[RunOutcome]
    waves: Sequence[Sequence[Run]]
    """The selected ones; those of a wave wait for those of the wave before."""
    arrival: Arrival

    @classmethod
    def of(cls, archive: Archive, destination: Location, selection: Selection) -> Self:
        """Raises UsageError when runs were asked for that are not there."""
        where = str(Location(ARCHIVE, str(archive.path)))
        headers = list(archive.headers())  # once: of 10,000 runs that takes seconds
        chosen = selection.some(lambda choice: filter(choice.takes_run, headers), where)
        stays = tuple(outcomes_of_staying(archive, chosen, destination, selection))
        selected = going(chosen, destination, selection)
        arrival = _arrival(archive, destination, headers, selected)
        return cls(headers, selected, stays, list(waves_of(selected, arrival.before)), arrival)

    @cached_property
    def runs(self) -> Sequence[Run]:
        """The selected ones, in the order in which they go."""
        return list(chain(*self.waves))

    @property
    def foreseen(self) -> Foreseen:
        """What only all of them together tell of one of them."""
        return self.arrival.foreseen(run.uid for run in self.runs)


def _arrival(
    archive: Archive, destination: Location, headers: Iterable[Run], chosen: Iterable[Run]
) -> Arrival:
    """What must come first where versions of artifacts are numbered as they come; else nothing."""
    if limits_at(destination).artifact_version is Fate.KEPT:
        return Arrival()
    uids = {run.uid for run in chosen}
    return Arrival.of(archive, headers, uids, ledger_key(destination))
