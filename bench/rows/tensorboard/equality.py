"""Whether two programs read the same out of an event file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench import child
from bench.report import Verdict, verdict_on

_KINDS = {
    "scalars": "all values and steps",
    "histograms": "all counts of buckets",
    "limits": "their limits",
    "images": "images' bytes",
}
_TIMED = {"scalars", "histograms", "images"}
"""The kinds that have rows; the sum of times is over all of them."""


def verdict(
    is_met: bool, own: Sequence[child.Result], theirs: Mapping[str, Any]
) -> tuple[Verdict, str]:
    """The verdict of a row, and what was compared, or what is not the same."""
    different = [found for lap in own for found in differences(lap.outcome, theirs)]
    if different:
        return "outputs differ", "; ".join(different[:3])
    return verdict_on(is_met), compared(own[0].outcome, theirs)


def differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """What is not the same in both; empty where all is that both state."""
    different = []
    for kind in _KINDS:
        if kind not in ours or kind not in theirs:
            continue
        for tag in sorted({*ours[kind], *theirs[kind]}):
            one, other = ours[kind].get(tag), theirs[kind].get(tag)
            if one != other:
                different.append(f"{kind} {tag}: {one} ≠ {other}")
    missing = [kind for kind in _KINDS if kind in theirs and kind not in ours]
    different += [f"we have no {kind}" for kind in missing]
    # wall times are float64 seconds: a microsecond can fall either way
    if ours.keys() & _TIMED == theirs.keys() & _TIMED:
        apart = abs(ours["time_us_sum"] - theirs["time_us_sum"])
        if apart > _rows(ours):
            different.append(f"times: {ours['time_us_sum']} ≠ {theirs['time_us_sum']}")
    for told in ("damage", "losses", "failed"):
        if ours.get(told):
            different.append(f"we report {told}: {ours[told]}")
    return different


def compared(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> str:
    """What this comparison has looked at: the facts that both sides state."""
    stated = [words for kind, words in _KINDS.items() if kind in ours and kind in theirs]
    if ours.keys() & _TIMED == theirs.keys() & _TIMED:
        stated.append("times")
    return ", ".join(stated)


def _rows(outcome: Mapping[str, Any]) -> int:
    return sum(tag[0] for kind in _TIMED for tag in outcome.get(kind, {}).values())
