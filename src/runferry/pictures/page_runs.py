"""The runs of a transfer's page: a table, and what its script searches and turns the pages of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape

from runferry.losses import Fate, Loss
from runferry.pictures.html_table import row, table
from runferry.pictures.told import UNSENT, Told, ToldRun, Verdict

CHECKED: dict[Verdict, str] = {
    "same": "every value equal",
    "foretold": "equal apart from what was foretold",
    "differs": "differs",
    "before": "verified before",
    "no": "not compared",
}
_WITHOUT_SCRIPT = 100
"""Rows of the table of runs that are in the page as such; the script shows the others."""


def runs_section(told: Told) -> Iterator[str]:
    """The first rows as such, and all of them as data of the script."""
    statuses = "".join(
        f'<option value="{escape(status)}">{escape(status)}</option>'
        for status in sorted({run.status for run in told.runs})
    )
    yield (
        '<h2>Runs</h2><div class="bar" hidden>'
        '<input id="search" type="search" placeholder="Search runs" aria-label="Search runs">'
        '<select id="status" aria-label="Only runs that are"><option value="">all</option>'
        f'<option value="lost">with losses</option>{statuses}</select>'
        '<button id="back" type="button">Previous</button>'
        '<button id="on" type="button">Next</button>'
        '<output id="said" aria-live="polite"></output></div>'
    )
    yield table(_RUN, map(_row, told.runs[:_WITHOUT_SCRIPT]))
    if len(told.runs) > _WITHOUT_SCRIPT:
        rest = len(told.runs) - _WITHOUT_SCRIPT
        yield f"<noscript><p>And {rest:,} more, which a browser with scripts shows.</p></noscript>"
    yield '<script type="application/json" id="runs">['
    for n, run in enumerate(told.runs):
        yield ("," if n else "") + _spelled(_run_json(run))
    yield "]</script>"


_RUN = ("run", "status", "checked", "#rows", "otherwise", "there")


def _row(run: ToldRun) -> str:
    chip = f'<span class="chip {_tone(run)}">{escape(run.status)}</span>'
    told = f'<br><span class="soft">{escape(run.error)}</span>' if run.error else ""
    cells = (
        name_of(run) + told, chip, CHECKED[run.verdict], f"{run.rows:,}", escape(_lost(run)),
        escape(run.remote),
    )  # fmt: skip
    return row(_RUN, cells)


def _run_json(run: ToldRun) -> dict[str, object]:
    return {
        "run": run.run,
        "name": run.name,
        "project": run.project,
        "status": run.status,
        "tone": _tone(run),
        "checked": CHECKED[run.verdict],
        "rows": run.rows,
        "lost": _lost(run),
        "is_lossy": any(loss.fate > Fate.REENCODED for loss in run.losses),
        "remote": run.remote,
        "error": run.error,
    }


def _lost(run: ToldRun) -> str:
    """What is lost by name, worst first; what is only in another form by its number."""
    certain, possible = _added_up(run.losses), _added_up(run.possible)
    besides = f"possible besides, at most: {possible}" if possible else ""
    return "; ".join(filter(None, (certain, besides)))


def _added_up(losses: tuple[Loss, ...]) -> str:
    sums: dict[str, int] = {}
    for loss in sorted(losses, key=lambda loss: (-loss.fate, loss.code)):
        is_lost = loss.fate > Fate.REENCODED
        word = f"{loss.code} {loss.fate.label}" if is_lost else loss.fate.label
        sums[word] = sums.get(word, 0) + loss.count
    return ", ".join(f"{count:,} {word}" for word, count in sums.items())


def _tone(run: ToldRun) -> str:
    if run.error or run.verdict == "differs":
        return "bad"
    if run.status == "interrupted" or run.status in UNSENT:
        return "warn"
    return "good" if run.verdict in ("same", "foretold", "before") else "plain"


def name_of(run: ToldRun) -> str:
    """A run's name and id, as one cell shows them."""
    name = f"<b>{escape(run.name or run.run)}</b>"
    return f'{name}<br><code class="soft">{escape(run.run)}</code>' if run.name else name


def _spelled(document: object) -> str:
    """JSON that no parser of HTML takes for markup, in ASCII."""
    text = json.dumps(document, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
