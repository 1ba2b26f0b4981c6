"""The report of a transfer as one HTML page, in pieces, so that it need not be held in memory.

It asks nobody for anything: styles, script and curves are in it, and its policy forbids the rest by
their hashes. Names from the data are escaped here, or become text in the script.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from html import escape
from importlib.resources import files

from runferry._version import VERSION
from runferry.errors import ExitCode
from runferry.losses import Fate
from runferry.pictures.overlay_svg import overlay_svg
from runferry.pictures.overlays import Compared
from runferry.pictures.scales import duration
from runferry.pictures.told import (
    UNSENT,
    LossKind,
    Told,
    ToldPhase,
    ToldRun,
    Verdict,
    loss_kinds,
)
from runferry.transfer.figures import size

FATES: dict[Fate, str] = {
    Fate.KEPT: "there, as it was",
    Fate.EXCLUDED: "left out on purpose; a switch includes it, and the archive has it",
    Fate.RENAMED: "under another name; the original name is stored",
    Fate.REENCODED: "in another form, from which the original is restored exactly",
    Fate.ROUNDED: "close to the original, which is gone",
    Fate.MERGED: "several became one",
    Fate.DROPPED: "gone",
}
CHECKED: dict[Verdict, str] = {
    "same": "every value equal",
    "foretold": "equal apart from what was foretold",
    "differs": "differs",
    "before": "verified before",
    "no": "not compared",
}
_TONES: dict[Verdict, str] = {
    "same": "good", "foretold": "good", "before": "good", "differs": "bad"
}  # fmt: skip
_WITHOUT_SCRIPT = 100
"""Rows of the table of runs that are in the page as such; the script shows the others."""

_FAILURES = 50


def page(told: Told, curves: Iterable[Compared], made: datetime) -> Iterator[str]:
    """The page; `curves` are drawn as they come."""
    style, script = _part("page.css"), _part("page.js")
    kinds = loss_kinds(told.runs)
    yield _head(told, style, script)
    yield _title(told, made)
    yield _tiles(told)
    yield _failures(told)
    yield _phases(told.phases)
    yield _losses(told, kinds)
    yield _verification(told)
    yield from _curves(curves)
    yield from _runs(told)
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
        return "bad", f"{_count(failed, 'run')} failed", "The others are not concerned."
    if not told.runs:
        return "warn", "Nothing was selected", "No run fits what was chosen."
    if any(phase.name == "plan" for phase in told.phases):
        return "warn", "Nothing was sent", "This is what would happen."
    waiting = sum(run.status in UNSENT for run in told.runs)
    if waiting:
        return "warn", f"{_count(waiting, 'run')} not sent, or not in whole", ""
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
    rest = f" {_count(uncompared, 'run')} of {len(verdicts):,} not compared." if uncompared else ""
    return words + rest


def _tiles(told: Told) -> str:
    held = told.holdings
    spent = sum(phase.seconds or 0 for phase in told.phases)
    timed = any(phase.seconds is not None for phase in told.phases)
    counts = [(loss.fate > Fate.REENCODED, loss.count) for run in told.runs for loss in run.losses]
    artifacts = f"and {_count(held.artifacts, 'artifact')}" if held.artifacts else ""
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
        _tr(titles, (_who(run), escape(run.error), escape(run.hint))) for run in found[:_FAILURES]
    ]
    more = len(found) - _FAILURES
    rest = f"<p class=soft>And {more:,} more: see the table of runs.</p>" if more > 0 else ""
    return f"<h2>What failed</h2>{_table(titles, rows)}{rest}"


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
        rows.append(_tr(titles, cells, f' data-phase="{phase.name}"'))
    return f"<h2>What moved</h2>{_table(titles, rows)}"


def _losses(told: Told, kinds: list[LossKind]) -> str:
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
        f"{_loss_table(kinds, told.allowed)}"
        f'<dl class="fates soft">{glossary}</dl>'
        f'<p class="soft">Allowed was what is not worse than <b>{told.allowed.label}</b>.</p>'
    )


def _loss_table(kinds: list[LossKind], allowed: Fate) -> str:
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
        rows.append(_tr(titles, cells, f' {marks} data-count="{kind.count}"'))
    return _table(titles, rows)


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
        f"<details><summary>{_count(held, 'place')}</summary>"
        f'<ul class="places">{listed}{more}</ul></details>'
    )


def _fate(fate: Fate, allowed: Fate) -> str:
    tone = "bad" if fate > allowed else "plain"
    return f'<span class="chip {tone}">{fate.label}</span>'


def _verification(told: Told) -> str:
    verdicts = [run.verdict for run in told.runs]
    if not told.is_verified:
        return (
            '<h2>What was compared</h2><p class="soft">Nothing in this call: '
            "<code>runferry verify</code> compares every value.</p>"
        )
    lines = "".join(
        f'<li data-verdict="{verdict}"><span class="chip {_TONES.get(verdict, "plain")}">'
        f"{_count(verdicts.count(verdict), 'run')}</span> {words}</li>"
        for verdict, words in CHECKED.items()
        if verdict in verdicts
    )
    others = ""
    if told.others:
        others = (
            f"<p class=soft>{_count(told.others, 'run')} of the destination "
            "belong to none of these.</p>"
        )
    unexpected = loss_kinds(told.runs, unexpected=True)
    differing = ""
    if unexpected:
        differing = f"<h3>What nothing foretold</h3>{_loss_table(unexpected, told.allowed)}"
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


def _runs(told: Told) -> Iterator[str]:
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
    yield _table(_RUN, map(_row, told.runs[:_WITHOUT_SCRIPT]))
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
        _who(run) + told, chip, CHECKED[run.verdict], f"{run.rows:,}", escape(_lost(run)),
        escape(run.remote),
    )  # fmt: skip
    return _tr(_RUN, cells)


def _who(run: ToldRun) -> str:
    name = f"<b>{escape(run.name or run.run)}</b>"
    return f'{name}<br><code class="soft">{escape(run.run)}</code>' if run.name else name


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
    sums: dict[str, int] = {}
    for loss in sorted(run.losses, key=lambda loss: (-loss.fate, loss.code)):
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


def _foot(told: Told) -> str:
    notes = "".join(f"<li>{escape(note)}</li>" for note in told.notes)
    return (
        (f"<h2>Notes</h2><ul>{notes}</ul>" if notes else "")
        + "</main><footer><p>Made by runferry. Numbers are those of <code>--json</code>; "
        "<code>runferry verify A B</code> compares every value again.</p></footer>"
    )


def _table(titles: tuple[str, ...], rows: Iterable[str], kind: str = "") -> str:
    """A table that becomes a list of cards where the window is narrow."""
    heads = "".join(
        f'<th scope="col" class="n">{title[1:]}</th>'
        if title.startswith("#")
        else f'<th scope="col">{title}</th>'
        for title in titles
    )
    named = f' class="{kind}"' if kind else ""
    return (
        f'<div class="scroll"><table{named}><thead><tr>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _tr(titles: tuple[str, ...], cells: Iterable[str], marks: str = "") -> str:
    """One row; each cell says which column it is of, for where no heading stands above it."""
    parts = []
    for n, (title, content) in enumerate(zip(titles, cells, strict=True)):
        kind = ' class="n"' if title.startswith("#") else ""
        said = f' data-title="{title.removeprefix("#")}"' if n else ""
        parts.append(f"<td{kind}{said}>{content}</td>")
    return f"<tr{marks}>{''.join(parts)}</tr>"


def _spelled(document: object) -> str:
    """JSON that no parser of HTML takes for markup, in ASCII."""
    text = json.dumps(document, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _count(number: int, word: str) -> str:
    return f"{number:,} {word if number == 1 else f'{word}s'}"
