"""`formats`: which trackers there are, and what becomes of each kind of thing there."""

from __future__ import annotations

from typing import Any

from runferry.cli.grid import Column, show
from runferry.cli.session import Session
from runferry.losses import Fate
from runferry.ports import Limits


def holdings_json() -> dict[str, Any]:
    """Readers, and writers with the fate of each kind there."""
    from runferry import registry

    writers = {name: registry.writer(name).limits for name in registry.writer_names()}
    return {
        "schema": 1,
        "readers": list(registry.reader_names()),
        "writers": {
            name: {kind: _fate(limits, kind).label for kind in _kinds(writers)}
            for name, limits in writers.items()
        },
    }


def show_holdings(session: Session) -> None:
    """The same as a table."""
    holdings = holdings_json()
    session.out.print(f"read from: {', '.join(holdings['readers'])}")
    session.out.print(f"write to:  {', '.join(holdings['writers'])}\n")
    writers: dict[str, dict[str, str]] = holdings["writers"]
    columns = (Column("kind"), *(Column(name) for name in writers))
    kinds = list(next(iter(writers.values()), {}))
    show(session.out, columns, [(kind, *(w[kind] for w in writers.values())) for kind in kinds])


def _kinds(writers: dict[str, Limits]) -> list[str]:
    kinds: dict[str, None] = {}
    for limits in writers.values():
        kinds.update(dict.fromkeys(limits.holds))
    return list(kinds)


def _fate(limits: Limits, kind: str) -> Fate:
    return limits.holds.get(kind, Fate.DROPPED)
