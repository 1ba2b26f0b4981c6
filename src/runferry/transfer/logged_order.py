"""Whether the order in which values were logged is lost where rows stand in the order of steps."""

from __future__ import annotations

from runferry.losses import Fate
from runferry.model import Inventory, Series, SeriesCounts
from runferry.ports import Limits


def of_order(inventory: Inventory, limits: Limits) -> tuple[int, int]:
    """How many values certainly stand in another order, and how many may: (certain, possible).

    Both are upper bounds. Rows are asked only where the order may be lost for good, and where the
    counts of series do not rule out that it says anything.
    """
    every = sum(counts.points for one in inventory.series for _, counts in inventory.kinds_of(one))
    apart_ns = limits.rows_apart_ns
    if limits.source_order <= Fate.REENCODED or apart_ns is None or inventory.row_order is None:
        return 0, every
    told = [(one, [*inventory.kinds_of(one)]) for one in inventory.series]
    # values of two kinds in a step take two rows
    if not all(len(kinds) == 1 and _has_places(one, kinds[0][1], limits) for one, kinds in told):
        return 0, every
    order = inventory.row_order({one.key for one in inventory.series}, apart_ns)
    if order.is_apart or order.moved == 0:
        return 0, 0
    if order.moved is None or not all(_rises(one, kinds[0][1]) for one, kinds in told):
        return 0, every
    return order.moved, 0


def _has_places(series: Series, counts: SeriesCounts, limits: Limits) -> bool:
    """Whether each row has a whole step, or as one of the machine's a time and no step."""
    if series.stream == "system":
        return counts.null_steps == counts.points and not counts.null_times
    odd = counts.null_steps + counts.fractional_steps + counts.negative_steps
    return not odd and (counts.max_step or 0) < limits.max_step


def _rises(series: Series, counts: SeriesCounts) -> bool:
    """Whether no row of a series shares its step with another, which would take another step."""
    is_steady = not (counts.falling_steps or counts.duplicate_steps)
    return series.stream == "user" and is_steady
