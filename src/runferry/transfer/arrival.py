"""The order in which runs bring versions of artifacts to where these are numbered as they come.

There a version's number, and what `latest` means, is decided by the order of arrival, and what
arrives is whole runs. So the run whose last version of a name is the older one goes first. Where
two runs took turns no order of whole runs is that of the versions: this is told, and the run that
has the newest version still goes last.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from runferry.losses import Fate, Loss
from runferry.model import Run, Uid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from runferry.archive.store import Archive
    from runferry.transfer.plan import RunPlan

CODE: Final = "artifact-order"
ALIAS: Final = "artifact-alias"
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
class Arrival:
    """Of the runs of one push."""

    before: Mapping[Uid, frozenset[Uid]] = field(default_factory=dict)
    """By run: those whose versions are the next older ones of a name."""
    versions: Mapping[str, tuple[_Version, ...]] = field(default_factory=dict)
    """By name of the artifact, oldest first."""

    @classmethod
    def of(cls, archive: Archive, runs: Iterable[Run]) -> Arrival:
        """Reads what the archive states of the artifacts that these runs made."""
        found: dict[str, list[_Version]] = defaultdict(list)
        for run in runs:
            for name, version in _produced(archive, run):
                found[name].append(version)
        versions = {name: tuple(sorted(each)) for name, each in found.items()}
        before: dict[Uid, set[Uid]] = defaultdict(set)
        for each in versions.values():
            last = {version.uid: version.place for version in each}
            in_order = sorted(last, key=lambda uid: (last[uid], uid))
            for earlier, later in pairwise(in_order):
                before[later].add(earlier)
        return cls({uid: frozenset(those) for uid, those in before.items()}, versions)

    def losses(
        self, order: Iterable[Uid], is_there: Callable[[Uid], bool]
    ) -> Mapping[Uid, tuple[Loss, ...]]:
        """By run: its versions that arrive as others than they were, in this order of runs.

        Those of runs that are there already came first.
        """
        turn = {uid: number for number, uid in enumerate(order, 1)}
        turn = {uid: 0 if is_there(uid) else number for uid, number in turn.items()}
        told: dict[Uid, list[Loss]] = defaultdict(list)
        for name, wished in self.versions.items():
            arriving = sorted(wished, key=lambda version: turn[version.uid])
            moved: dict[tuple[Uid, str], int] = defaultdict(int)
            for one, other in zip(arriving, wished, strict=True):
                if one.place != other.place and turn[one.uid]:
                    moved[one.uid, one.type] += 1
            for (uid, kind), count in moved.items():
                told[uid].append(Loss(CODE, Fate.ROUNDED, f"{name}/{kind}", count, _WHY))
        return {uid: tuple(losses) for uid, losses in told.items()}

    def taken(self, crossed: Mapping[Uid, tuple[Loss, ...]]) -> Mapping[Uid, int]:
        """By run: how many aliases may go to what arrives later under the same name.

        `crossed` is what `losses` told.
        """
        moved = {loss.where for told in crossed.values() for loss in told}
        taken = Counter[Uid]()
        for name, versions in self.versions.items():
            carried = Counter(alias for version in versions for alias in {*version.aliases})
            carried[_LATEST] = len(versions)  # whatever arrives is that
            later = carried.copy()
            for version in versions:
                later.subtract({*version.aliases, _LATEST})
                is_moved = f"{name}/{version.type}" in moved
                taken[version.uid] += sum(
                    later[alias] > 0 or (is_moved and carried[alias] > 1)
                    for alias in version.aliases
                )
        return taken


def possible_of(planned: RunPlan, aliases: int) -> tuple[Loss, ...]:
    """What a run may lose. By itself it knows only that any alias may be taken from it."""
    counted = (
        replace(loss, count=aliases) if loss.code == ALIAS else loss for loss in planned.possible
    )
    return tuple(loss for loss in counted if loss.count)


def _produced(archive: Archive, run: Run) -> Iterator[tuple[str, _Version]]:
    record = archive.record(run.uid)
    if record is None:
        return
    began = run.started_ns or run.created_ns or 0
    for one in archive.artifacts(record):
        if one.is_produced:
            number = one.number
            place = (run.key.tracker, run.key.scope, number is None, number or 0, began)
            yield one.name, _Version(place, run.uid, one.type, one.aliases)
