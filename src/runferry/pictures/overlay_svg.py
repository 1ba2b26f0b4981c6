"""One series before and after as inline SVG: a broad band, and a thin line upon it."""

from __future__ import annotations

from html import escape

from runferry.pictures.curves import Curve
from runferry.pictures.overlays import Overlay
from runferry.pictures.scales import Scale, ends, number

_WIDTH, _HEIGHT = 300, 110
_LEFT, _RIGHT, _TOP, _BOTTOM = 4, 4, 6, 8
"""Of the picture, and the margins of its lines, in the units of its view box."""


def overlay_svg(overlay: Overlay, number_of: int) -> str:
    """A `<figure>`; `number_of` makes its ids unique in the page. Every name is escaped."""
    scale = _scale(overlay)
    name = escape(overlay.key)
    label = f"{overlay.key}: {_told(overlay)}"
    parts = [
        f'<figure class="curve {"alike" if overlay.is_alike else "unlike"}">',
        f"<figcaption><b>{name}</b>{_chip(overlay)}</figcaption>",
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" preserveAspectRatio="none"'
        f' aria-label="{escape(label)}">',
    ]
    if scale is not None:
        parts += _lines(overlay, scale, number_of)
    parts.append("</svg>")
    parts.append(f'<p class="axis">{_axis(overlay, scale)}</p>')
    parts.append(f'<p class="numbers">{escape(_told(overlay))}</p></figure>')
    return "".join(parts)


def _lines(overlay: Overlay, scale: Scale, number_of: int) -> list[str]:
    before = _path(overlay.before, scale)
    marks = _marks(overlay.before, "before")
    if overlay.after is None:
        return [f'<path class="before" d="{before}"/>', marks]
    after = _path(overlay.after, scale)
    if after == before:  # one path, drawn twice
        path = f'<defs><path id="p{number_of}" d="{before}"/></defs>'
        uses = (f'<use class="{side}" href="#p{number_of}"/>' for side in ("before", "after"))
        return [path, *uses, marks]
    return [
        f'<path class="before" d="{before}"/><path class="after" d="{after}"/>',
        marks,
        _marks(overlay.after, "after"),
    ]


def _scale(overlay: Overlay) -> Scale | None:
    curves = [overlay.before, *([overlay.after] if overlay.after else [])]
    ranges = [found for curve in curves if (found := curve.range) is not None]
    if not ranges:
        return None
    return Scale(min(low for low, _ in ranges), max(high for _, high in ranges))


def _path(curve: Curve, scale: Scale) -> str:
    pieces = []
    for stroke in curve.strokes():
        points = [f"{_x(curve, x)} {_y(scale, y)}" for x, y in stroke]
        if len(points) == 1:
            points *= 2  # a line without length is drawn as a dot, its ends being round
        pieces.append(f"M{'L'.join(points)}")
    return "".join(pieces)


def _x(curve: Curve, x: float) -> str:
    share = x / curve.axis.span if curve.axis.span > 0 else 0.5
    return f"{_LEFT + share * (_WIDTH - _LEFT - _RIGHT):.1f}"


def _y(scale: Scale, y: float) -> str:
    return f"{_TOP + (1 - scale.place(y)) * (_HEIGHT - _TOP - _BOTTOM):.1f}"


def _marks(curve: Curve, side: str) -> str:
    """Where values stand that have no height: short strokes at the foot."""
    columns = sorted({int(n) for odd in curve.odd.values() for n in odd.nonzero()[0]})
    if not columns:
        return ""
    wide = (_WIDTH - _LEFT - _RIGHT) / curve.width
    places = "".join(f"M{_LEFT + (n + 0.5) * wide:.1f} {_HEIGHT - 6}v6" for n in columns)
    return f'<path class="odd {side}" d="{places}"/>'


def _chip(overlay: Overlay) -> str:
    if overlay.after is None:
        return ""
    word = "alike" if overlay.is_alike else "differs"
    return f'<span class="chip {"good" if overlay.is_alike else "bad"}">{word}</span>'


def _axis(overlay: Overlay, scale: Scale | None) -> str:
    height = "" if scale is None else f"{number(scale.low)} to {number(scale.high)}"
    return f"<span>{escape(height)}</span><span>{escape(ends(overlay.before.axis))}</span>"


def _told(overlay: Overlay) -> str:
    before = _values(overlay.before)
    if overlay.after is None:
        return f"source {before}"
    after = _values(overlay.after)
    return f"{before}, before and after" if before == after else f"source {before}; after {after}"


def _values(curve: Curve) -> str:
    parts = [f"{curve.points:,} {'value' if curve.points == 1 else 'values'}"]
    parts += [f"{n:,} {kind}" for kind, n in curve.oddities.items()]
    if curve.unplaced:
        parts.append(f"{curve.unplaced:,} without {curve.axis.kind}")
    if curve.outside:
        parts.append(f"{curve.outside:,} beyond the axis")
    return ", ".join(parts)
