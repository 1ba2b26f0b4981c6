"""What was lost, and why: the part of a transfer's page that counts losses by what they are."""

from __future__ import annotations

from html import escape

from runferry.losses import Fate
from runferry.pictures.html_table import counted, row, table
from runferry.pictures.told import LossKind, Told

FATES: dict[Fate, str] = {
    Fate.KEPT: "there, as it was",
    Fate.EXCLUDED: "left out on purpose; a switch includes it, and the archive has it",
    Fate.RENAMED: "under another name; the original name is stored",
    Fate.REENCODED: "in another form, from which the original is restored exactly",
    Fate.ROUNDED: "close to the original, which is gone",
    Fate.MERGED: "several became one",
    Fate.DROPPED: "gone",
}


def losses_section(told: Told, kinds: list[LossKind]) -> str:
    """A heading, the table, and what the words for fates mean."""
    if not kinds:
        return "<h2>What was lost, and why</h2><p>Nothing, and nothing was changed.</p>"
    used = dict.fromkeys(kind.fate for kind in kinds)
    glossary = "".join(f"<dt>{fate.label}</dt><dd>{FATES[fate]}</dd>" for fate in used)
    lost = sum(kind.count for kind in kinds if kind.fate > Fate.REENCODED)
    opening = f"<p>{lost:,} lost; the others are there in another form.</p>"
    if not lost:
        opening = "<p>Nothing is gone. This is what is there in another form.</p>"
    return (
        f"<h2>What was lost, and why</h2>{opening}"
        f"{loss_table(kinds, told.allowed)}"
        f'<dl class="fates soft">{glossary}</dl>'
        f'<p class="soft">Allowed was what is not worse than <b>{told.allowed.label}</b>.</p>'
    )


def loss_table(kinds: list[LossKind], allowed: Fate) -> str:
    """A row for each kind of loss; what is beyond what is allowed stands out."""
    titles = ("became", "what", "#count", "#runs", "why", "where")
    rows = []
    for kind in kinds:
        cells = (
            _fate(kind.fate, allowed),
            f'<code class="word">{escape(kind.code)}</code>',
            f"{kind.count:,}",
            f"{kind.runs:,}",
            " · ".join(map(escape, kind.details)),
            _places(kind),
        )
        marks = f'data-loss="{escape(kind.code)}" data-fate="{kind.fate.label}"'
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
