"""The law of losses: measured ⊆ predicted ∪ reported. Whatever is left over is a fault."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from runferry.losses import Fate, Loss


@dataclass(slots=True)
class _Told:
    loss: Loss
    left: int

    def covers(self, measured: Loss) -> bool:
        where = self.loss.where
        is_below = where in ("", measured.where) or measured.where.startswith(f"{where}.")
        return is_below and self.loss.fate >= measured.fate


def explain(
    measured: Iterable[Loss], told: Iterable[Loss]
) -> tuple[tuple[Loss, ...], tuple[Loss, ...]]:
    """What was foretold or reported, and what was not: (explained, unexpected).

    A told loss explains one of the same code at the same place or below it, of no worse a fate,
    up to its count. So what was promised to be restorable explains no loss of it.
    """
    by_code: dict[str, list[_Told]] = defaultdict(list)
    for (code, fate, where), count in _most(told).items():
        by_code[code].append(_Told(Loss(code, fate, where), count))
    for budgets in by_code.values():
        budgets.sort(key=lambda budget: -len(budget.loss.where))  # the narrowest place first
    explained: list[Loss] = []
    unexpected: list[Loss] = []
    for loss in measured:
        left = loss.count
        for budget in by_code[loss.code]:
            if left and budget.left and budget.covers(loss):
                used = min(left, budget.left)
                budget.left -= used
                left -= used
                explained.append(replace(loss, fate=budget.loss.fate, count=used))
        if left:
            unexpected.append(replace(loss, count=left))
    return tuple(explained), tuple(unexpected)


def _most(told: Iterable[Loss]) -> dict[tuple[str, Fate, str], int]:
    """The same thing told twice, before and after, is one: the larger count holds."""
    most: dict[tuple[str, Fate, str], int] = {}
    for loss in told:
        place = (loss.code, loss.fate, loss.where)
        most[place] = max(most.get(place, 0), loss.count)
    return most
