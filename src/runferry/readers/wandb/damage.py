"""What could not be read, or not as it was, by its place."""

from __future__ import annotations

from collections.abc import Iterator

from runferry.losses import Fate, Loss
from runferry.readers.damage import Reports
from runferry.readers.lines import unended
from runferry.readers.standing_losses import StandingLosses
from runferry.readers.wandb.heads import Head
from runferry.readers.wandb.history import JsonLines

_UNKNOWN = "U+FFFD stands for what is no text"
_MENDED = {
    "bad-utf8": (Fate.ROUNDED, _UNKNOWN),  # the value was kept, nearly as it was
    "lone-surrogate": (Fate.ROUNDED, _UNKNOWN),
    "merged-key": (Fate.MERGED, _UNKNOWN),  # with U+FFFD in it, it is another's key
}


def reports(name: str, standing: StandingLosses) -> Reports:
    """Tells of the damage in one database."""
    return Reports(name, standing, _MENDED)


def cut_line(lines: JsonLines, *, is_over: bool) -> Iterator[Loss]:
    """The line without an end that `lines` stopped before."""
    if lines.unfinished:
        name, length = lines.path.name, lines.unfinished
        yield unended(name, lines.line, lines.offset, length, is_over=is_over)


def rebased(head: Head, shift: int) -> Loss:
    """Says that the steps of a resumed file continue those before it."""
    detail = f"its steps begin at 0 again; {shift:,} was added, as W&B does when it resumes"
    return Loss("rebased-steps", Fate.REENCODED, head.place.label, 1, detail)
