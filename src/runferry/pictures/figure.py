"""Panels as PNG or SVG, by matplotlib, which the extra `plot` brings."""

from __future__ import annotations

import shlex
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runferry.errors import MissingExtra, Refused, UsageError
from runferry.pictures.panels import Panel
from runferry.pictures.scales import TITLES, Scale, along

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 1200
"""Columns of dots of a curve: more than a panel has pixels."""

_WIDTH_IN, _HEIGHT_IN = 9.0, 3.6
_DPI = 144
_ENDINGS = (".png", ".svg")
_ROUND_NAMES = 60
_FAR = 1e250

# Okabe and Ito's, which the colour-blind can tell apart; two of them darker, to be read on white
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#56b4e9", "#000000")
_DASHES = ("-", "--", ":")

_RULES = {
    "text.parse_math": False,  # a name with two dollar signs is a name
    "text.usetex": False,
    "svg.fonttype": "none",  # text stays text: it can be searched, and read aloud
    "svg.hashsalt": "runferry",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.formatter.useoffset": False,
}

Save = Callable[[Sequence[Panel], str], "list[str]"]


def saver(output: str) -> Save:
    """What writes panels, under a title, into that file, and returns warnings.

    Raises UsageError for another ending, and MissingExtra.
    """
    path = Path(output)
    if path.suffix.lower() not in _ENDINGS:
        named = path.with_suffix(".svg") if path.name else path / "picture.svg"
        raise UsageError("a picture is .png or .svg", where=output, hint=f"-o {named}")
    try:
        import matplotlib.figure  # noqa: F401  here, before anything is read
    except ImportError as error:
        raise MissingExtra("matplotlib", "plot") from error

    def save(panels: Sequence[Panel], title: str) -> list[str]:
        return _save(path, panels, title)

    return save


def _save(path: Path, panels: Sequence[Panel], title: str) -> list[str]:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with warnings.catch_warnings(record=True) as caught, mpl.rc_context(_RULES):
        warnings.simplefilter("always")
        figure = Figure(
            figsize=(_WIDTH_IN, _HEIGHT_IN * len(panels) + 0.4), dpi=_DPI, layout="constrained"
        )
        _label(figure, title)
        for axes, panel in zip(
            figure.subplots(len(panels), squeeze=False)[:, 0], panels, strict=True
        ):
            _draw(axes, panel)
        kind = path.suffix.lower().removeprefix(".")
        try:
            figure.savefig(path, format=kind, metadata={"Date": None} if kind == "svg" else None)
        except OSError as error:
            raise Refused(
                f"the picture cannot be written ({error.strerror})", where=str(path),
                hint=f"ls -ld {shlex.quote(str(path.parent))}",
            ) from error  # fmt: skip
    return list(dict.fromkeys(str(warning.message) for warning in caught))


def _label(figure: Figure, title: str) -> None:
    figure.suptitle(_shown(title), fontsize=9, color="#555555", x=0.01, ha="left")


def _shown(name: str) -> str:
    """A name without control characters, and not longer than a line."""
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name)
    if len(shown) <= _ROUND_NAMES:
        return shown
    return f"{shown[: _ROUND_NAMES // 2]}…{shown[-_ROUND_NAMES // 2 :]}"


def _draw(axes: Axes, panel: Panel) -> None:
    import numpy as np

    axes.set_title(_shown(panel.title), fontsize=11, loc="left")
    scale = _scale(panel)
    if scale is not None:
        tall = scale.ticks(6)
        axes.set_ylim(-0.05, 1.05)
        axes.set_yticks([tick.place for tick in tall], [tick.label for tick in tall])
    elif panel.is_log and panel.range is not None:
        axes.set_yscale("log")
    for n, line in enumerate(panel.lines):
        colour = _COLOURS[n % len(_COLOURS)]
        dash = _DASHES[n // len(_COLOURS) % len(_DASHES)]
        label = f"{n}"  # matplotlib hides what begins with _; the names are put in below
        for stroke in line.drawn.strokes():
            mark = "." if len(stroke) == 1 else ""
            x, y = zip(*stroke, strict=True)
            heights = y if scale is None else [scale.place(value) for value in y]
            axes.plot(x, heights, dash, marker=mark, color=colour, lw=1.2, ms=4,
                      label=label)  # fmt: skip
            label = "_"
        for columns in line.drawn.odd.values():
            at = (np.flatnonzero(columns) + 0.5) / line.drawn.width * line.drawn.axis.span
            axes.plot(at, np.full(len(at), 0.015), "x", color=colour, ms=4, lw=0,
                      transform=axes.get_xaxis_transform(), label="_")  # fmt: skip
    axes.grid(alpha=0.25, lw=0.6)
    ticks = along(panel.axis, 8)
    axes.set_xticks([tick.place * panel.axis.span for tick in ticks], [t.label for t in ticks])
    axes.set_xlabel(TITLES[panel.axis.kind], fontsize=9)
    _legend(axes, panel)


def _scale(panel: Panel) -> Scale | None:
    """Ours, where values are so large or small that matplotlib's own reckoning leaves the range."""
    found = panel.range
    if found is None:
        return None
    low, high = found
    is_far = max(abs(low), abs(high)) > _FAR or (panel.is_log and low < 1 / _FAR)
    return Scale(low, high, panel.is_log) if is_far else None


def _legend(axes: Axes, panel: Panel) -> None:
    """Beside the panel; what has no stroke at all is named too."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=_COLOURS[n % len(_COLOURS)],
               ls=_DASHES[n // len(_COLOURS) % len(_DASHES)])
        for n in range(len(panel.lines))
    ]  # fmt: skip
    legend = axes.legend(
        handles, [f"{n}" for n in range(len(handles))], fontsize=8, frameon=False,
        loc="upper left", bbox_to_anchor=(1.0, 1.0),
    )  # fmt: skip
    for text, line in zip(legend.get_texts(), panel.lines, strict=True):
        odd = ", ".join(f"{n:,} {kind}" for kind, n in line.drawn.oddities.items())
        text.set_text(_shown(line.name) + (f"  ({odd})" if odd else ""))
