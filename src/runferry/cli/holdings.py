"""`formats`: which trackers there are, and what becomes of each kind of thing there."""

from __future__ import annotations

from typing import Any

from runferry.cli.grid import GAP, Column, show
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
    session.out.print(f"write to:  {', '.join(holdings['writers'])}")
    writers: dict[str, dict[str, str]] = holdings["writers"]
    for names in _abreast(writers, session.out.width):
        session.out.print()
        kinds = list(writers[names[0]])
        rows = [(kind, *(writers[name][kind] for name in names)) for kind in kinds]
        show(session.out, tuple(map(Column, ("kind", *names))), rows)


def _abreast(writers: dict[str, dict[str, str]], room: int) -> list[list[str]]:
    """The writers, as many in one table as there is room for."""
    groups: list[list[str]] = []
    left = 0
    for name, kinds in writers.items():
        width = GAP + max(map(len, (name, *kinds.values())))
        if not groups or width > left:
            groups.append([])
            left = room - max(map(len, kinds))
        groups[-1].append(name)
        left -= width
    return groups


def _kinds(writers: dict[str, Limits]) -> list[str]:
    kinds: dict[str, None] = {}
    for limits in writers.values():
        kinds.update(dict.fromkeys(limits.holds))
    return list(kinds)


def _fate(limits: Limits, kind: str) -> Fate:
    return limits.holds.get(kind, Fate.DROPPED)
