"""Which runs go at the same time, and which wait for others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from typing import Final, Generic, TypeAlias, TypeVar

from runferry.model import Run, Uid

_MODELS = ("model", "model_version")
_Id: TypeAlias = "tuple[str, str, str]"

Before: TypeAlias = "Mapping[Uid, frozenset[Uid]]"
"""By run: those that are to come before it."""

Item = TypeVar("Item")
_SECONDS_UNTIL_STOP: Final = 0.2
"""How long a thread that waits for others may take to hear of a stop."""


class Waves(Generic[Item]):
    """Items that several threads take; those of a wave when all of the one before are done."""

    def __init__(self, waves: Iterable[Iterable[Item]]) -> None:
        """The last wave is iterated only as items are taken."""
        self._changed = threading.Condition()
        self._waves = iter(waves)
        self._items: Iterator[Item] = iter(())
        self._next = self._following()
        self._under_way = 0

    def take(self, is_over: Callable[[], bool]) -> tuple[Item] | None:
        """The next item, which waits for those before it; None where there is none, or an end.

        Raises what an iterator of items raises.
        """
        with self._changed:
            while not is_over():
                found = next(((item,) for item in self._items), None)
                if found is not None:
                    self._under_way += 1
                    return found
                if self._next is None:
                    return None
                if self._under_way:
                    self._changed.wait(_SECONDS_UNTIL_STOP)
                else:
                    self._items, self._next = self._next, self._following()
        return None

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Around what is done with an item that was taken."""
        try:
            yield
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    def _following(self) -> Iterator[Item] | None:
        return next((iter(wave) for wave in self._waves), None)


def waves_of(runs: Iterable[Run], before: Before | None = None) -> Iterator[list[Run]]:
    """Who is nested in another comes later than that one, models after all runs.

    The versions of a model come one after the other, the first one first: where a destination
    counts them by itself, they get the numbers that they had. `before` counts like being nested;
    where that goes in a circle, the run that began first is first.
    """
    everyone = list(runs)
    yield from _in_turn([run for run in everyone if run.kind not in _MODELS], before or {})
    yield from _models_first([run for run in everyone if run.kind in _MODELS])


def _in_turn(runs: Sequence[Run], before: Before) -> Iterator[list[Run]]:
    """Each run is looked at once for itself, and once for each run that it waits for."""
    place = {run.uid: number for number, run in enumerate(runs)}
    uids = {_id(run): run.uid for run in runs}
    waits = {run.uid: _earlier(run, uids, before) & place.keys() for run in runs}
    later: dict[Uid, list[Uid]] = {}
    for uid, earlier in waits.items():
        for one in earlier:
            later.setdefault(one, []).append(uid)
    missing = {uid: len(earlier) for uid, earlier in waits.items()}
    free = [uid for uid, count in missing.items() if not count]
    by_begin = iter(sorted(runs, key=_begin))
    while missing:
        if not free:  # a circle
            free = [next(run.uid for run in by_begin if run.uid in missing)]
        yield [runs[place[uid]] for uid in free]
        for uid in free:
            del missing[uid]
        freed = []
        for one in (one for uid in free for one in later.get(uid, ()) if one in missing):
            missing[one] -= 1
            if not missing[one]:
                freed.append(one)
        free = sorted(freed, key=place.__getitem__)


def _earlier(run: Run, uids: Mapping[_Id, Uid], before: Before) -> frozenset[Uid]:
    """Those that this one waits for."""
    parent = None if run.parent is None else uids.get((*_id(run)[:2], run.parent))
    named = before.get(run.uid, frozenset())
    return (named if parent is None else named | {parent}) - {run.uid}


def _id(run: Run) -> _Id:
    return run.key.tracker, run.key.scope, run.key.run_id


def _begin(run: Run) -> tuple[int, _Id]:
    return run.started_ns or run.created_ns or 0, _id(run)


def _models_first(runs: Collection[Run]) -> Iterator[list[Run]]:
    """All models, then the first version of each, the second of each, and so on."""
    if models := [run for run in runs if run.kind == "model"]:
        yield models
    chains: dict[tuple[str, str, str | None], list[Run]] = {}
    for run in runs:
        if run.kind == "model_version":
            chains.setdefault((run.key.tracker, run.key.scope, run.group), []).append(run)
    for versions in chains.values():
        versions.sort(key=lambda run: (len(run.key.run_id), run.key.run_id))
    for wave in zip_longest(*chains.values()):
        yield [run for run in wave if run is not None]
