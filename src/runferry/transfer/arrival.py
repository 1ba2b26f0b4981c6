"""The order in which runs bring versions of artifacts to where these are numbered as they come.

There a version's number, and what `latest` means, is decided by the order of arrival, and what
arrives is whole runs. So the run whose last version of a name is the older one goes first. Where
two runs took turns no order of whole runs is that of the versions: this is told, and the run that
has the newest version still goes last.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Container, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from operator import itemgetter
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from runferry.errors import ArchiveError
from runferry.losses import Fate, Loss
from runferry.model import Inventory, Run, Uid
from runferry.transfer.trip import is_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runferry.archive.record import RunRecord
    from runferry.archive.store import Archive

CODE: Final = "artifact-order"
_LATEST: Final = "latest"
_WHY = "versions are numbered as they arrive, and another run's belong before or between them"

_Place: TypeAlias = "tuple[str, str, bool, int, int]"
"""Tracker, scope, whether it has no number, the number, when its run began: they sort versions."""


class _Version(NamedTuple):
    place: _Place
    uid: Uid
    type: str
    aliases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What only all runs of a push together tell of one of them."""

    crossed: Mapping[Uid, tuple[Loss, ...]]
    contested: Mapping[Uid, int]

    def losses(self, uid: Uid) -> tuple[Loss, ...]:
        """Its versions of artifacts that arrive as others than they were."""
        return self.crossed.get(uid, ())

    def told(self, inventory: Inventory) -> Inventory:
        """The inventory of a run that knows what the others of this push bring.

        For what is to be foretold. What is compared may have met others' versions besides.
        """
        contested = self.contested.get(inventory.run.uid, 0)
        return replace(inventory, contested_aliases=contested)


_Sent: TypeAlias = Literal["no", "in part", "whole"]
"""What the ledger knows of a run: that it is there, or was before it grew."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """Of the runs of one push, and of those that came before."""

    before: Mapping[Uid, frozenset[Uid]] = field(default_factory=dict)
    """By run that is to be sent: those whose versions are the next older ones of a name."""
    versions: Mapping[str, tuple[_Version, ...]] = field(default_factory=dict)
    """By name of the artifact, oldest first."""
    sent: Mapping[Uid, _Sent] = field(default_factory=dict)

    @classmethod
    def of(
        cls, archive: Archive, headers: Iterable[Run], chosen: Collection[Uid], place: str
    ) -> Arrival:
        """Reads what the archive states of the artifacts that runs made.

        Of all that the archive has, those count that are chosen, and those that are at the place.
        """
        found: dict[str, list[_Version]] = defaultdict(list)
        sent: dict[Uid, _Sent] = {}
        for run in headers:
            delivery = archive.ledger.get(run.uid, place)
            is_there = delivery is not None and delivery.stage in ("sealed", "verified")
            if run.uid not in chosen and not is_there:
                continue
            try:
                record = archive.record(run.uid)
                made = [] if record is None else list(_produced(archive, record))
            except ArchiveError:
                continue  # told where the run itself is planned or sent
            for name, version in made:
                found[name].append(version)
            if record is not None and delivery is not None and is_there:
                sent[run.uid] = "whole" if is_of(delivery, record) else "in part"
        versions = {name: tuple(sorted(each)) for name, each in found.items()}
        leaving = {uid for uid in chosen if sent.get(uid) != "whole"}
        return cls(_before(versions.values(), leaving), versions, sent)

    def foreseen(self, order: Iterable[Uid]) -> Foreseen:
        """What comes of it where runs go in this order."""
        crossed = self._crossed(order)
        return Foreseen(crossed, self._contested(crossed))

    def _crossed(self, order: Iterable[Uid]) -> Mapping[Uid, tuple[Loss, ...]]:
        """By run: its versions that arrive as others than they were."""
        turn = {uid: number for number, uid in enumerate(order, 1)}
        told: dict[Uid, list[Loss]] = defaultdict(list)
        for name, wished in self.versions.items():
            turns = [0 if is_sent else turn[one.uid] for one, is_sent in self._sent(wished, turn)]
            arriving = sorted(zip(turns, wished, strict=True), key=itemgetter(0))
            moved: dict[tuple[Uid, str], int] = defaultdict(int)
            for (number, one), other in zip(arriving, wished, strict=True):
                if one.place != other.place and number:
                    moved[one.uid, one.type] += 1
            for (uid, kind), count in moved.items():
                told[uid].append(Loss(CODE, Fate.ROUNDED, f"{name}/{kind}", count, _WHY))
        return {uid: tuple(losses) for uid, losses in told.items()}

    def _sent(
        self, versions: Iterable[_Version], turn: Container[Uid]
    ) -> Iterator[tuple[_Version, bool]]:
        """Whether each came earlier. What a run made since it was sent is newer than all of that.

        So of a run that grew those count as sent that are older than all that is still to come.
        """
        is_anything_left = False
        for version in versions:
            sent = self.sent.get(version.uid, "no")
            is_anything_left |= sent == "no"
            is_sent = sent == "whole" or (sent == "in part" and not is_anything_left)
            yield version, is_sent or version.uid not in turn

    def _contested(self, crossed: Mapping[Uid, tuple[Loss, ...]]) -> Mapping[Uid, int]:
        """By run: how many aliases may go to what arrives later under the same name."""
        moved = {loss.where for told in crossed.values() for loss in told}
        contested = Counter[Uid]()
        for name, versions in self.versions.items():
            carried = Counter(alias for version in versions for alias in {*version.aliases})
            carried[_LATEST] = len(versions)  # whatever arrives is that
            later = carried.copy()
            for version in versions:
                later.subtract({*version.aliases, _LATEST})
                is_moved = f"{name}/{version.type}" in moved
                contested[version.uid] += sum(
                    later[alias] > 0 or (is_moved and carried[alias] > 1)
                    for alias in version.aliases
                )
        return contested


def _before(
    versions: Iterable[tuple[_Version, ...]], leaving: Container[Uid]
) -> Mapping[Uid, frozenset[Uid]]:
    """By run: of each name the one that goes before it, by the newest version of each."""
    before: dict[Uid, set[Uid]] = defaultdict(set)
    for each in versions:
        last = {version.uid: version.place for version in each if version.uid in leaving}
        for earlier, later in pairwise(sorted(last, key=lambda uid: (last[uid], uid))):
            before[later].add(earlier)
    return {uid: frozenset(those) for uid, those in before.items()}


def _produced(archive: Archive, record: RunRecord) -> Iterator[tuple[str, _Version]]:
    run = record.run
    began = run.started_ns or run.created_ns or 0
    for one in archive.artifacts(record):
        if one.is_produced:
            number = one.number
            place = (run.key.tracker, run.key.scope, number is None, number or 0, began)
            yield one.name, _Version(place, run.uid, one.type, one.aliases)
