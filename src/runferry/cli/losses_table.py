"""Losses as a table, worst first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from runferry.cli.grid import Column, show
from runferry.cli.session import Session
from runferry.losses import Fate, Loss

_COLUMNS = (
    Column("fate"),
    Column("what"),
    Column("count", "right"),
    Column("where", is_elastic=True),
    Column("detail", is_elastic=True),
)


_PLACES_SHOWN = 3
"""So many places of one kind of loss have lines of their own."""


def show_losses(session: Session, losses: Iterable[Loss], *, at_most: bool = False) -> None:
    """One line a loss; what is lost alike in many places is one line, unless -v is given.

    `at_most`: of losses that are possible only, each count is the most that there can be.
    """
    ordered = sorted(losses, key=lambda loss: (-loss.fate, loss.code, loss.where))
    if session.verbosity <= 0:
        ordered = list(_together(ordered))
    bound = "up to " if at_most else ""
    rows = [(x.fate.label, x.code, f"{bound}{x.count:,}", x.where, x.detail) for x in ordered]
    show(session.out, _COLUMNS, rows, session.ellipsis)


def _together(ordered: Iterable[Loss]) -> Iterator[Loss]:
    """Losses that differ by where they are, as one: of many series of a run, say."""
    alike: dict[tuple[Fate, str, str], list[Loss]] = {}
    for loss in ordered:
        alike.setdefault((loss.fate, loss.code, loss.detail), []).append(loss)
    for found in alike.values():
        if len(found) <= _PLACES_SHOWN:
            yield from found
        else:
            places = f"{found[0].where} and {len(found) - 1:,} more"
            yield replace(found[0], where=places, count=sum(loss.count for loss in found))
