"""`formats`: which kinds of data each source gives, and what becomes of each in a destination."""

from __future__ import annotations

import textwrap
from typing import Any

from runferry.cli.grid import GAP, Column, show
from runferry.cli.session import Session
from runferry.losses import Fate
from runferry.model import KINDS

_PAGE = """\
# Formats

Which kinds of data each source gives, and what becomes of each in a destination. This page is what
`runferry formats --markdown` prints: readers declare what they give, and writers what they keep, by
which `runferry plan` goes, too. [Fates](errors.md) from *kept* to *re-encoded* lose nothing. What
becomes of odd steps, times, names and values stands on each destination's own page.

## Sources

Of runs that the tracker's own tools wrote. What runferry itself wrote into a place comes back with
all that is not dropped there.

{sources}

## Destinations

A second word is a server: `wandb` alone are run folders, `wandb service` is W&B itself.

{destinations}
"""


def holdings_json() -> dict[str, Any]:
    """What each reader gives, and for each writer, and each kind of its places, the fates.

    Plugins that do not load are left out: the session tells of them.
    """
    from runferry import registry

    readers = registry.sound_names("source")
    given = {name: registry.reader(name).gives for name in readers}
    return {
        "schema": 1,
        "readers": list(readers),
        "gives": {name: [kind for kind in KINDS if kind in given[name]] for name in readers},
        "writers": {
            place: {kind: limits.holds.get(kind, Fate.DROPPED).label for kind in KINDS}
            for name in registry.sound_names("destination")
            for place, limits in registry.limits_by_place(name).items()
        },
    }


def show_holdings(session: Session) -> None:
    """The same as a list and a table, in the width that there is."""
    holdings = holdings_json()
    given: dict[str, list[str]] = holdings["gives"]
    indent = max(map(len, given)) + GAP
    session.out.print("read from:")
    for name, kinds in given.items():
        words = "every kind" if len(kinds) == len(KINDS) else ", ".join(kinds)
        lines = textwrap.wrap(words, max(session.out.width - indent, 20))
        for first, line in zip([name, *[""] * len(lines)], lines, strict=False):
            session.out.print(f"{first:{indent}}{line}", soft_wrap=True)
    session.out.print("\nwrite to:")
    writers: dict[str, dict[str, str]] = holdings["writers"]
    for number, names in enumerate(_abreast(writers, session.out.width)):
        if number:
            session.out.print()
        rows = [(kind, *(writers[name][kind] for name in names)) for kind in KINDS]
        show(session.out, tuple(map(Column, ("kind", *names))), rows)


def holdings_page() -> str:
    """The same as docs/formats.md."""
    holdings = holdings_json()
    given: dict[str, list[str]] = holdings["gives"]
    writers: dict[str, dict[str, str]] = holdings["writers"]
    sources = [(f"`{name}`", *("✓" * (kind in given[name]) for kind in KINDS)) for name in given]
    fates = [(kind, *(writers[name][kind] for name in writers)) for kind in KINDS]
    return _PAGE.format(
        sources=_table(("source", *KINDS), sources),
        destinations=_table(("kind", *(f"`{name}`" for name in writers)), fates),
    )


def _table(titles: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [titles, ("---",) * len(titles), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


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
