"""The law of losses: measured ⊆ predicted ∪ reported. Whatever is left over is a fault."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain

from runferry.losses import Fate, Loss


@dataclass(slots=True)
class _Told:
    loss: Loss
    left: int


def explain(
    measured: Iterable[Loss], told: Iterable[Loss]
) -> tuple[tuple[Loss, ...], tuple[Loss, ...]]:
    """What was foretold or reported, and what was not: (explained, unexpected).

    A told loss explains one of the same code at the same place or below it, of no worse a fate,
    up to its count. So what was promised to be restorable explains no loss of it.
    """
    by_place: dict[tuple[str, str], list[_Told]] = defaultdict(list)  # code and place
    for (code, fate, where), count in _most(told).items():
        by_place[code, where].append(_Told(Loss(code, fate, where), count))
    explained: list[Loss] = []
    unexpected: list[Loss] = []
    for loss in measured:
        left = loss.count
        places = ((loss.code, where) for where in _places(loss.where))
        for budget in chain.from_iterable(by_place.get(place, ()) for place in places):
            if left and budget.left and budget.loss.fate >= loss.fate:
                used = min(left, budget.left)
                budget.left -= used
                left -= used
                explained.append(replace(loss, fate=budget.loss.fate, count=used))
        if left:
            unexpected.append(replace(loss, count=left))
    return tuple(explained), tuple(unexpected)


def _places(where: str) -> Iterator[str]:
    """This place and those that it lies in, the narrowest first; the whole run last."""
    while where:
        yield where
        where = where.rpartition(".")[0]
    yield ""


def _most(told: Iterable[Loss]) -> dict[tuple[str, Fate, str], int]:
    """The same thing told twice, before and after, is one: the larger count holds."""
    most: dict[tuple[str, Fate, str], int] = {}
    for loss in told:
        place = (loss.code, loss.fate, loss.where)
        most[place] = max(most.get(place, 0), loss.count)
    return most
