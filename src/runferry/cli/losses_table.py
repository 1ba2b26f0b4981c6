"""Losses as a table, worst first."""

from __future__ import annotations

from collections.abc import Iterable

from runferry.cli.grid import Column, show
from runferry.cli.session import Session
from runferry.losses import Loss

_COLUMNS = (
    Column("fate"),
    Column("what"),
    Column("count", "right"),
    Column("where", is_elastic=True),
    Column("detail", is_elastic=True),
)


def show_losses(session: Session, losses: Iterable[Loss]) -> None:
    """One line a loss."""
    ordered = sorted(losses, key=lambda loss: (-loss.fate, loss.code, loss.where))
    rows = [(x.fate.label, x.code, f"{x.count:,}", x.where, x.detail) for x in ordered]
    show(session.out, _COLUMNS, rows, session.ellipsis)
