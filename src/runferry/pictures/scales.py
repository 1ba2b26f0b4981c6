"""Where a value stands on an axis, and which ticks an axis has: round numbers, times, decades."""

from __future__ import annotations

import math
from dataclasses import dataclass

from runferry.model import instant
from runferry.pictures.curves import Axis

_SECOND = 1_000_000
_TIMES = tuple(
    unit * n
    for unit, counts in (
        (1, (1, 2, 5, 10, 20, 50, 100, 200, 500)),
        (1000, (1, 2, 5, 10, 20, 50, 100, 200, 500)),
        (_SECOND, (1, 2, 5, 10, 15, 30)),
        (60 * _SECOND, (1, 2, 5, 10, 15, 30)),
        (3600 * _SECOND, (1, 2, 3, 6, 12)),
        (86400 * _SECOND, (1, 2, 7, 14, 30, 90, 180, 365)),
    )
    for n in counts
)
"""Distances of ticks in microseconds that people count in."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A place between 0 and 1, and what stands there."""

    place: float
    label: str


@dataclass(frozen=True, slots=True)
class Scale:
    """The values between the lower and the upper end; of a logarithmic one both are positive."""

    low: float
    high: float
    is_log: bool = False

    def place(self, value: float) -> float:
        """0 at the lower end, 1 at the upper one; a half where both are one."""
        low, high, at = self.low, self.high, value
        if self.is_log:
            low, high, at = math.log(low), math.log(high), math.log(at)
        half = high / 2 - low / 2  # of ±1e308 the whole would be infinite
        return (at / 2 - low / 2) / half if half else 0.5

    def ticks(self, most: int) -> list[Tick]:
        """At most so many, at round values within the ends; the ends where none is round."""
        if self.low == self.high:
            return [Tick(0.5, number(self.low))]
        values = self._decades(most) if self.is_log else []
        values = values if len(values) >= 2 else self._rounds(most)
        if len(values) < 2:
            values = [self.low, self.high]
        digits = 3
        while digits < 17 and len({number(v, digits) for v in values}) < len(values):
            digits += 1
        return [Tick(self.place(value), number(value, digits)) for value in values]

    def _rounds(self, most: int) -> list[float]:
        apart = (self.high / most - self.low / most) or math.ulp(0.0)
        power = 10.0 ** max(-300, math.floor(math.log10(apart)))
        width = next((n * power for n in (1, 2, 2.5, 5) if n * power >= apart), 10 * power)
        first = math.ceil(self.low / width)
        found = [width * (first + n) for n in range(most + 2)]
        return [value for value in found if self.low <= value <= self.high][: most + 1]

    def _decades(self, most: int) -> list[float]:
        first, last = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
        apart = max(1, math.ceil((last - first + 1) / most))
        return [10.0**power for power in range(first, last + 1, apart)]


def number(value: float, digits: int = 3) -> str:
    """A number in few letters: `0.0123`, `1,500`, `1.2e-07`."""
    size = abs(value)
    if value == int(value) and size < 1e6:
        return f"{int(value):,}"
    if 1000 <= size < 1e6:
        return f"{value:,.{max(0, digits - len(str(int(size))))}f}"
    text = f"{value:.{digits}g}"
    if "e" in text:
        head, _, power = text.partition("e")
        return f"{head}e{int(power)}"
    return text


def along(axis: Axis, most: int) -> list[Tick]:
    """The ticks of a horizontal axis, at most so many."""
    if axis.span <= 0:
        return [Tick(0.0, _said(axis, 0, 1))]
    if axis.kind in ("time", "relative"):
        return _times(axis, most)
    apart = max(1, math.ceil(axis.span / most))
    power = 10 ** (len(str(apart)) - 1)
    width = next(n * power for n in (1, 2, 5, 10) if n * power >= apart)
    first = -(-axis.origin // width) * width
    last = axis.origin + int(axis.span)
    return [
        Tick((step - axis.origin) / axis.span, f"{step:,}")
        for step in range(first, last + 1, width)
    ]


def _times(axis: Axis, most: int) -> list[Tick]:
    year = _TIMES[-1]
    wanted = axis.span / most
    width = next((n for n in _TIMES if n >= wanted), year * math.ceil(wanted / year))
    begin = 0 if axis.kind == "relative" else axis.origin
    first = -(-begin // width) * width - begin
    return [
        Tick(at / axis.span, _said(axis, at, width))
        for at in range(first, int(axis.span) + 1, width)
    ]


def _said(axis: Axis, at: int, apart: int) -> str:
    """What stands at so far from the axis' origin, where the neighbours are so far apart."""
    if axis.kind == "relative":
        return duration(at)
    if axis.kind != "time":
        return f"{axis.origin + at:,}"
    moment = instant((axis.origin + at) * 1000)
    if apart >= 86400 * _SECOND:
        return f"{moment:%Y-%m-%d}"
    if axis.span >= 86400 * _SECOND:
        return f"{moment:%m-%d %H:%M}"
    if apart >= 60 * _SECOND:
        return f"{moment:%H:%M}"
    return f"{moment:%H:%M:%S}" if apart >= _SECOND else f"{moment:%H:%M:%S.%f}".rstrip("0")


def ends(axis: Axis) -> str:
    """Where an axis begins and ends: `step 0 to 124`, `since the start 0s to 2h10m`."""
    apart = max(1, int(axis.span))
    first, last = _said(axis, 0, apart), _said(axis, int(axis.span), apart)
    title = TITLES[axis.kind]
    return f"{title} {first}" if first == last else f"{title} {first} to {last}"


def duration(us: float) -> str:
    """`250ms`, `12s`, `3m05s`, `2h10m`, `5d03h`."""
    seconds = us / _SECOND
    if seconds < 1 and us:
        return f"{us:g}µs" if us < 1000 else f"{us / 1000:g}ms"
    if seconds < 10 and seconds != int(seconds):
        return f"{seconds:.3g}s"
    minutes, hours, days = int(seconds) // 60, int(seconds) // 3600, int(seconds) // 86400
    if days:
        return f"{days}d{hours % 24:02}h" if hours % 24 else f"{days}d"
    if hours:
        return f"{hours}h{minutes % 60:02}m" if minutes % 60 else f"{hours}h"
    rest = int(seconds) % 60
    if minutes:
        return f"{minutes}m{rest:02}s" if rest else f"{minutes}m"
    return f"{rest}s"


TITLES = {"step": "step", "time": "time (UTC)", "relative": "since the start", "row": "row"}
"""What stands at an axis."""
