"""Which runs go at the same time, and which wait for others."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import zip_longest
from typing import TypeAlias

from runferry.model import Run, Uid

_MODELS = ("model", "model_version")
_Id: TypeAlias = "tuple[str, str, str]"

Before: TypeAlias = "Mapping[Uid, frozenset[Uid]]"
"""By run: those that are to come before it."""


def waves_of(runs: Iterable[Run], before: Before | None = None) -> Iterator[list[Run]]:
    """Who is nested in another comes later than that one, models after all runs.

    The versions of a model come one after the other, the first one first: where a destination
    counts them by itself, they get the numbers that they had. `before` counts more than who is
    nested where; where it goes in a circle, the run that began first is first.
    """
    left = {(run.key.tracker, run.key.scope, run.key.run_id): run for run in runs}
    models = {key: left.pop(key) for key, run in list(left.items()) if run.kind in _MODELS}
    waiting = {run.uid for run in left.values()}
    while left:
        free = {k: run for k, run in left.items() if not _before(run, before) & waiting}
        wave = {
            key: run
            for key, run in free.items()
            if run.parent is None or (*key[:2], run.parent) not in left or run.parent == key[2]
        }
        # a circle of parents: nobody is first
        wave = wave or free or dict([min(left.items(), key=_begin)])
        yield list(wave.values())
        left = {key: run for key, run in left.items() if key not in wave}
        waiting -= {run.uid for run in wave.values()}
    yield from _models_first(models.values())


def _before(run: Run, before: Before | None) -> frozenset[Uid]:
    return frozenset() if before is None else before.get(run.uid, frozenset())


def _begin(item: tuple[_Id, Run]) -> tuple[int, _Id]:
    key, run = item
    return run.started_ns or run.created_ns or 0, key


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
