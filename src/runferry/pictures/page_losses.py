"""What was lost, and why: the part of a transfer's page that counts losses by what they are."""

from __future__ import annotations

from html import escape

from runferry.losses import Fate
from runferry.pictures.html_table import counted, row, table
from runferry.pictures.told import LossKind, Told, loss_kinds

FATES: dict[Fate, str] = {
    Fate.KEPT: "there, as it was",
    Fate.EXCLUDED: "left out on purpose; a switch includes it, and the archive has it",
    Fate.RENAMED: "under another name; the original name is stored",
    Fate.REENCODED: "in another form, from which the original is restored exactly",
    Fate.ROUNDED: "close to the original, which is gone",
    Fate.MERGED: "several became one",
    Fate.DROPPED: "gone",
}


def losses_section(told: Told) -> str:
    """A heading, the tables of what is certain and what is possible, and what the fates mean."""
    kinds, possible = loss_kinds(told.runs), loss_kinds(told.runs, "possible")
    tables = loss_table(kinds, told.allowed) if kinds else ""
    if possible:
        more = loss_table(possible, told.allowed, at_most=True)
        tables += f"<h3>Possible besides, so many at most</h3>{more}"
    return f"<h2>What was lost, and why</h2>{_opening(kinds, possible)}{tables}" + (
        f'<dl class="fates soft">{_glossary([*kinds, *possible])}</dl>'
        f'<p class="soft">Allowed was what is not worse than <b>{told.allowed.label}</b>.</p>'
        if tables
        else ""
    )


def _opening(kinds: list[LossKind], possible: list[LossKind]) -> str:
    """How much is lost for certain, in a sentence."""
    if not kinds:
        said = "Nothing for certain." if possible else "Nothing, and nothing was changed."
        return f"<p>{said}</p>"
    lost = sum(kind.count for kind in kinds if kind.fate > Fate.REENCODED)
    if not lost:
        gone = "Nothing is certain to be gone." if possible else "Nothing is gone."
        return f"<p>{gone} This is what is there in another form.</p>"
    return f"<p>{lost:,} lost; the others are there in another form.</p>"


def _glossary(kinds: list[LossKind]) -> str:
    used = dict.fromkeys(kind.fate for kind in kinds)
    return "".join(f"<dt>{fate.label}</dt><dd>{FATES[fate]}</dd>" for fate in used)


def loss_table(kinds: list[LossKind], allowed: Fate, *, at_most: bool = False) -> str:
    """A row for each kind of loss; what is beyond what is allowed stands out.

    `at_most`: of losses that are possible only, each count is the most that there can be.
    """
    titles = ("became", "what", "#count", "#runs", "why", "where")
    rows = []
    for kind in kinds:
        cells = (
            _fate(kind.fate, allowed),
            f'<code class="word">{escape(kind.code)}</code>',
            f"{'up to ' if at_most else ''}{kind.count:,}",
            f"{kind.runs:,}",
            " · ".join(map(escape, kind.details)),
            _places(kind),
        )
        mark = "data-possible" if at_most else "data-loss"
        marks = f'{mark}="{escape(kind.code)}" data-fate="{kind.fate.label}"'
        rows.append(row(titles, cells, f' {marks} data-count="{kind.count}"'))
    return table(titles, rows)


def _places(kind: LossKind) -> str:
    """The most frequent places, folded."""
    if not kind.places:
        return ""
    listed = "".join(
        f"<li><code>{escape(where)}</code> {count:,}</li>" for where, count in kind.places
    )
    more = f"<li>and {kind.more_places:,} more</li>" if kind.more_places else ""
    held = len(kind.places) + kind.more_places
    return (
        f"<details><summary>{counted(held, 'place')}</summary>"
        f'<ul class="places">{listed}{more}</ul></details>'
    )


def _fate(fate: Fate, allowed: Fate) -> str:
    tone = "bad" if fate > allowed else "plain"
    return f'<span class="chip {tone}">{fate.label}</span>'
