"""The report of a transfer as one HTML page, in pieces, so that it need not be held in memory.

It asks nobody for anything: styles, script and curves are in it, and its policy forbids the rest by
their hashes. Names from the data are escaped here, or become text in the script.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from html import escape
from importlib.resources import files

from runferry._version import VERSION
from runferry.errors import ExitCode
from runferry.losses import Fate
from runferry.pictures.html_table import counted, row, table
from runferry.pictures.overlay_svg import overlay_svg
from runferry.pictures.overlays import Compared
from runferry.pictures.page_losses import loss_table, losses_section
from runferry.pictures.page_runs import CHECKED, name_of, runs_section
from runferry.pictures.scales import duration
from runferry.pictures.told import (
    UNSENT,
    Told,
    ToldPhase,
    Verdict,
    loss_kinds,
)
from runferry.transfer.figures import size

_TONES: dict[Verdict, str] = {
    "same": "good", "foretold": "good", "before": "good", "differs": "bad"
}  # fmt: skip
_FAILURES = 50


def page(told: Told, curves: Iterable[Compared], made: datetime) -> Iterator[str]:
    """The page; `curves` are drawn as they come."""
    style, script = _part("page.css"), _part("page.js")
    yield _head(told, style, script)
    yield _title(told, made)
    yield _tiles(told)
    yield _failures(told)
    yield _phases(told.phases)
    yield losses_section(told)
    yield _verification(told)
    yield from _curves(curves)
    yield from runs_section(told)
    yield _foot(told)
    yield f"<script>{script}</script></body></html>\n"


def _part(name: str) -> str:
    return files("runferry.pictures").joinpath(name).read_text(encoding="utf-8")


def _hash(content: str) -> str:
    digest = hashlib.sha256(content.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _head(told: Told, style: str, script: str) -> str:
    policy = f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}"
    title = escape(f"{told.source} to {told.destination}")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="generator" content="runferry {VERSION}">'
        f"<title>{title}</title><style>{style}</style></head><body>"
    )


def _title(told: Told, made: datetime) -> str:
    tone, verdict, why = _verdict(told)
    return (
        f'<header><p class="eyebrow">runferry {VERSION}, '
        f'<time datetime="{made.isoformat()}">{made:%Y-%m-%d %H:%M} UTC</time></p>'
        f'<h1>{escape(told.source)}<span class="arrow" aria-label="to">→</span>'
        f"{escape(told.destination)}</h1></header>"
        f'<main><p class="verdict {tone}" role="status"><b>{verdict}</b>{escape(why)}</p>'
    )


def _verdict(told: Told) -> tuple[str, str, str]:
    """Its tone, what it is, and why."""
    failed = sum(1 for _ in told.failures)
    aborted = next((phase.aborted for phase in told.phases if phase.aborted), "")
    if told.exit_code is ExitCode.INTERRUPTED:
        return "warn", "Interrupted", "The same command again continues where it stopped."
    if aborted:
        return "bad", "Ended before all runs were tried", aborted
    if any(run.unexpected for run in told.runs):
        return "bad", "Something differs that nothing foretold", "See what was compared, below."
    if failed:
        return "bad", f"{counted(failed, 'run')} failed", "The others are not concerned."
    if not told.runs:
        return "warn", "Nothing was selected", "No run fits what was chosen."
    if any(phase.name == "plan" for phase in told.phases):
        return "warn", "Nothing was sent", "This is what would happen."
    waiting = sum(run.status in UNSENT for run in told.runs)
    if waiting:
        return "warn", f"{counted(waiting, 'run')} not sent, or not in whole", ""
    if told.beyond:
        allowed = told.allowed.label
        return "warn", f"Done, with losses beyond what is allowed ({allowed})", _checked(told)
    return "good", "Everything arrived", _checked(told)


def _checked(told: Told) -> str:
    """What comparing said, and of how many runs it says nothing."""
    verdicts = [run.verdict for run in told.runs]
    uncompared = verdicts.count("no")
    if not told.is_verified or uncompared == len(verdicts):
        return "What arrived was not compared with the original."
    words = "Every value was read back, and is equal."
    if "foretold" in verdicts:
        words = "Every value was read back: equal, apart from losses that were foretold."
    elif "same" not in verdicts:
        words = "Every run was compared value by value before, and had no loss but what is told."
    rest = f" {counted(uncompared, 'run')} of {len(verdicts):,} not compared." if uncompared else ""
    return words + rest


def _tiles(told: Told) -> str:
    held = told.holdings
    spent = sum(phase.seconds or 0 for phase in told.phases)
    timed = any(phase.seconds is not None for phase in told.phases)
    counts = [(loss.fate > Fate.REENCODED, loss.count) for run in told.runs for loss in run.losses]
    artifacts = f"and {counted(held.artifacts, 'artifact')}" if held.artifacts else ""
    tiles = [
        ("runs", f"{len(told.runs):,}", ""),
        ("series", f"{held.series:,}", ""),
        ("points", f"{held.points:,}", ""),
        ("rows moved", f"{max((phase.rows for phase in told.phases), default=0):,}", ""),
        ("files", f"{held.files:,}", artifacts),
        ("lost", f"{sum(n for is_lost, n in counts if is_lost):,}", ""),
        ("in another form", f"{sum(n for is_lost, n in counts if not is_lost):,}", ""),
    ]
    moved = max((phase.size_bytes for phase in told.phases), default=0)
    if moved:
        tiles.insert(5, ("bytes moved", size(moved), "of files"))
    if timed:
        tiles.append(("time", duration(round(spent, 1) * 1e6) or "0s", "of all phases"))
    cells = "".join(
        f'<div><dt>{title}</dt><dd data-tile="{title}">{value}'
        f"{f'<small>{more}</small>' if more else ''}</dd></div>"
        for title, value, more in tiles
    )
    return f'<dl class="tiles">{cells}</dl>'


def _failures(told: Told) -> str:
    found = list(told.failures)
    if not found:
        return ""
    titles = ("run", "error", "hint")
    rows = [
        row(titles, (name_of(run), escape(run.error), escape(run.hint)))
        for run in found[:_FAILURES]
    ]
    more = len(found) - _FAILURES
    rest = f"<p class=soft>And {more:,} more: see the table of runs.</p>" if more > 0 else ""
    return f"<h2>What failed</h2>{table(titles, rows)}{rest}"


def _phases(phases: Iterable[ToldPhase]) -> str:
    titles = ("phase", "from, to", "runs", "#rows", "#bytes of files", "#time")
    rows = []
    for phase in phases:
        counts = ", ".join(f"{n:,} {escape(status)}" for status, n in phase.counts.items())
        cells = (
            f"<b>{phase.name}</b>",
            f"{escape(phase.source)} → {escape(phase.destination)}",
            counts,
            f"{phase.rows:,}",
            size(phase.size_bytes) if phase.size_bytes else "",
            "" if phase.seconds is None else duration(round(phase.seconds, 1) * 1e6),
        )
        rows.append(row(titles, cells, f' data-phase="{phase.name}"'))
    return f"<h2>What moved</h2>{table(titles, rows)}"


def _verification(told: Told) -> str:
    verdicts = [run.verdict for run in told.runs]
    if not told.is_verified:
        return (
            '<h2>What was compared</h2><p class="soft">Nothing in this call: '
            "<code>runferry verify</code> compares every value.</p>"
        )
    lines = "".join(
        f'<li data-verdict="{verdict}"><span class="chip {_TONES.get(verdict, "plain")}">'
        f"{counted(verdicts.count(verdict), 'run')}</span> {words}</li>"
        for verdict, words in CHECKED.items()
        if verdict in verdicts
    )
    others = ""
    if told.others:
        others = (
            f"<p class=soft>{counted(told.others, 'run')} of the destination "
            "belong to none of these.</p>"
        )
    unexpected = loss_kinds(told.runs, "unexpected")
    differing = ""
    if unexpected:
        differing = f"<h3>What nothing foretold</h3>{loss_table(unexpected, told.allowed)}"
    return f'<h2>What was compared</h2><ul class="found">{lines}</ul>{others}{differing}'


_KEY = (
    '<p class="key soft"><svg viewBox="0 0 32 10" aria-hidden="true"><path class="before" '
    'd="M3 5H29"/></svg> source <svg viewBox="0 0 32 10" aria-hidden="true"><path class="after" '
    'd="M3 5H29"/></svg> read back from the destination. Strokes at the foot are values without '
    "a height. Each column of a picture has its first, lowest, highest and last value, so no "
    "spike is left out.</p>"
)


def _curves(curves: Iterable[Compared]) -> Iterator[str]:
    drawn, is_begun = 0, False
    for found in curves:
        if not found.overlays and not found.why_unread:
            continue
        if not is_begun:
            yield f"<h2>Curves before and after</h2>{_KEY}"
        is_begun = True
        yield f"<section>{_run_title(found)}<div class=curves>"
        for overlay in found.overlays:
            drawn += 1
            yield overlay_svg(overlay, drawn)
        yield "</div></section>"


def _run_title(found: Compared) -> str:
    run = found.run
    name = f" <code class=soft>{escape(run.run)}</code>" if run.name else ""
    said = [escape(why) for why in (found.why_unread, found.why_not) if why]
    if found.left_out:
        said.append(f"{found.left_out:,} more series of numbers are not drawn")
    note = f'<p class="soft">{"; ".join(said)}</p>' if said else ""
    return f"<h3>{escape(run.name or run.run)}{name}</h3>{note}"


def _foot(told: Told) -> str:
    notes = "".join(f"<li>{escape(note)}</li>" for note in told.notes)
    return (
        (f"<h2>Notes</h2><ul>{notes}</ul>" if notes else "")
        + "</main><footer><p>Made by runferry. Numbers are those of <code>--json</code>; "
        "<code>runferry verify A B</code> compares every value again.</p></footer>"
    )
