"""`plot`: panels of curves for the terminal, as JSON, or as a file."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from runferry.cli.documents import moment_json
from runferry.cli.dots import COLUMNS, GUTTER, Look, paint
from runferry.cli.grid import count, shortened
from runferry.cli.streams import printable
from runferry.pictures.scales import number
from runferry.tables import to_json

if TYPE_CHECKING:
    from rich.text import Text

    from runferry.cli.session import Session
    from runferry.pictures.panels import Chosen, Line, Panel

COLOURS = ("cyan", "yellow", "magenta", "green", "blue", "red")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_FRAME = GUTTER + 2
"""Cells left of a panel's dots, for the numbers at its axis."""
_NARROWEST = 70
"""Panels stand side by side where each has so many cells."""
_GAP = 3
_ALONE, _AMONG = 14, 8
"""Rows of one panel, and of one of several."""


def across(session: Session, panels: int) -> int:
    """How many panels stand side by side."""
    return max(1, min(panels, (session.out.width + _GAP) // (_NARROWEST + _GAP)))


def dots_across(session: Session, panels: int) -> int:
    """How many columns of dots a panel has."""
    abreast = across(session, panels)
    room = (session.out.width - _GAP * (abreast - 1)) // abreast
    return max(8, room - _FRAME) * COLUMNS


def show_panels(session: Session, panels: Sequence[Panel], height: int | None) -> None:
    """All of them, side by side where there is room."""
    abreast = across(session, len(panels))
    room = (session.out.width - _GAP * (abreast - 1)) // abreast
    rows = height or (_ALONE if len(panels) == 1 else _AMONG)
    for first in range(0, len(panels), abreast):
        if first:
            session.out.print()
        blocks = [_block(session, panel, room, rows) for panel in panels[first : first + abreast]]
        for lines in zip_longest(*blocks):
            _print_abreast(session, lines, room)


def _print_abreast(session: Session, lines: Sequence[Text | None], room: int) -> None:
    from rich.text import Text

    whole = Text()
    for n, line in enumerate(lines):
        whole.append_text(line or Text())
        if n < len(lines) - 1:
            whole.append(" " * ((room + _GAP) * (n + 1) - whole.cell_len))
    whole.rstrip()
    session.out.print(whole, soft_wrap=True)


def _block(session: Session, panel: Panel, room: int, rows: int) -> list[Text]:
    """Title, curves, and a line for each curve."""
    from rich.text import Text

    look = _look(session, len(panel.lines))
    title = shortened(printable(panel.title), room, session.ellipsis)
    block = [Text(title, "bold")]
    for spans in paint(panel, look, rows):
        line = Text()
        for text, style in spans:
            line.append(text, style)
        block.append(line)
    return [*block, *_legend(session, panel, look, room)]


def _look(session: Session, lines: int) -> Look:
    has_colours = session.out.color_system is not None and not session.out.no_color
    styles = tuple(COLOURS[n % len(COLOURS)] for n in range(lines))
    needs_letters = lines > 1 and not (has_colours and lines <= len(COLOURS))
    letters = tuple(_LETTERS[n % len(_LETTERS)] for n in range(lines)) if needs_letters else ()
    return Look(styles, letters, session.can_spell("⣿"), session.can_spell("┤│└─┬×≤"))


def _legend(session: Session, panel: Panel, look: Look, room: int) -> list[Text]:
    """One line a curve: its mark, name, last value and range, and what is not drawn of it."""
    from rich.cells import cell_len
    from rich.text import Text

    rows = []
    for n, line in enumerate(panel.lines):
        mark = look.letters[n] if look.letters else ("━" if look.has_frames else "-") * 2
        rows.append((mark, look.styles[n], printable(line.name), _figures(line), remarks(line)))
    if len(panel.lines) == 1 and not any(row[4] for row in rows):
        mark, style, name, figures, _ = rows[0]
        name = shortened(name, room - len(mark) - 2 - len(figures) - 2, session.ellipsis)
        return [_joined(mark, style, name, figures, "")]
    widest = max(len(row[3]) for row in rows)
    name_room = min(
        max(cell_len(row[2]) for row in rows),
        max(12, room - 4 - widest - 2 - max(min(len(row[4]), 30) for row in rows)),
    )
    legend: list[Text] = []
    for mark, style, name, figures, said in rows:
        text = shortened(name, name_room, session.ellipsis)
        text += " " * (name_room - cell_len(text))
        left = room - len(mark) - 4 - name_room - widest - 2
        is_short = cell_len(said) <= left
        legend.append(_joined(mark, style, text, f"{figures:{widest}}", said if is_short else ""))
        if said and not is_short:
            legend.append(Text(f"     {shortened(said, room - 5, session.ellipsis)}", "dim"))
    return legend


def _joined(mark: str, style: str, name: str, figures: str, said: str) -> Text:
    from rich.text import Text

    line = Text().append(f"{mark}  ", style)
    line.append(f"{name}  ", "")
    line.append(figures, "dim")
    if said:
        line.append(f"  {said}", "dim")
    line.rstrip()
    return line


def _figures(line: Line) -> str:
    found = line.drawn.range
    if found is None:
        return ""
    return f"{number(line.drawn.last)} ({number(found[0])} to {number(found[1])})"


def remarks(line: Line) -> str:
    """What of a series is not in the picture, or is otherwise than it looks."""
    curve, counts = line.drawn, line.counts
    parts = [f"{n:,} {kind}" for kind, n in curve.oddities.items()]
    if curve.unplaced:
        parts.append(f"{curve.unplaced:,} without {_place_of(line)}")
    if curve.outside:
        parts.append(f"{curve.outside:,} beyond the axis")
    if curve.axis.kind == "step":
        falling = {"falling": counts.falling_steps, "repeated": counts.duplicate_steps}
        parts += [f"{n:,} {what} steps" for what, n in falling.items() if n]
    return ", ".join(parts)


def _place_of(line: Line) -> str:
    return "step" if line.drawn.axis.kind == "step" else "time"


def notes(chosen: Chosen) -> list[str]:
    """What the picture leaves out."""
    said = []
    if chosen.left_out:
        said.append(
            f"{count(chosen.left_out, 'more series', 'more series')} not drawn: choose with "
            f"--metric and --run, or draw more with --limit"
        )
    if chosen.placeless:
        said.append(f"{chosen.placeless:,} series without a {chosen.axis} not drawn: --x row")
    return said


def panels_json(panels: Sequence[Panel]) -> list[dict[str, Any]]:
    """The panels with the points that are drawn, for other programs to draw."""
    return [
        {
            "title": panel.title,
            "log": panel.is_log,
            "lines": [_line_json(line) for line in panel.lines],
        }
        for panel in panels
    ]


def _line_json(line: Line) -> dict[str, Any]:
    curve = line.drawn
    found = curve.range
    return {
        "uid": line.run.uid,
        "run_id": line.run.key.run_id,
        "name": line.run.name,
        "key": line.series.key,
        "points": curve.points,
        "drawn": curve.drawn,
        "min": None if found is None else found[0],
        "max": None if found is None else found[1],
        "odd": curve.oddities,
        "without_place": curve.unplaced,
        "beyond": curve.outside,
        "strokes": [
            [[_x_json(line, x), to_json(y)] for x, y in stroke] for stroke in curve.strokes()
        ],
    }


def _x_json(line: Line, x: float) -> float | int | str | None:
    """A step, seconds since the run began, a time, or the number of a row."""
    axis = line.drawn.axis
    if axis.kind == "relative":
        return x / 1e6
    if axis.kind == "time":
        return moment_json(round((axis.origin + x) * 1000))
    return axis.origin + int(x) if x == int(x) else axis.origin + x
