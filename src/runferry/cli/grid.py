"""Tables that fit the terminal: one elastic column gives way, in the middle of its text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from runferry.cli.streams import printable

if TYPE_CHECKING:
    from rich.console import Console

GAP = 2
COMFORTABLE = 14
NARROWEST = 8
"""What an elastic column keeps while there is something to leave out, and in any case."""


@dataclass(frozen=True, slots=True)
class Column:
    """A heading, the side its cells stand on, and what may happen to it where room is short."""

    title: str
    side: Literal["left", "right"] = "left"
    is_elastic: bool = False  # may be shortened
    comfort: int = COMFORTABLE  # but not below that, while there is something to leave out
    rank: int = 0  # above 0 it may be left out, the highest first, where shortening is not enough
    styles: Mapping[str, str] = field(default_factory=dict)  # of cells, by what they begin with


def show(
    console: Console,
    columns: Sequence[Column],
    rows: Iterable[Sequence[str]],
    ellipsis: str = "…",
    *,
    keep_empty: bool = False,
    heads: Sequence[str] = (),
) -> None:
    """Prints the table; columns that are empty throughout are left out unless they are wanted.

    With `heads`, one a row, each stands above its row, which is indented, and is not shortened.
    """
    from rich.cells import cell_len
    from rich.text import Text

    titles = [column.title for column in columns]
    cells = [[printable(cell) for cell in row] for row in rows]
    kept = [n for n in range(len(columns)) if keep_empty or any(row[n] for row in cells)]
    widths = {n: max(cell_len(row[n]) for row in (titles, *cells)) for n in kept}
    indent = " " * GAP if heads else ""
    widths = fitted(widths, columns, console.width - len(indent))

    def line(row: Sequence[str], style: str = "") -> None:
        whole = Text(indent, style)
        for n in widths:
            text = shortened(row[n], widths[n], ellipsis)
            space = " " * (widths[n] - cell_len(text))
            if columns[n].side == "right":
                whole.append(space)
            whole.append(text, style or _style(columns[n], row[n]))
            if columns[n].side == "left":
                whole.append(space)
            whole.append(" " * GAP)
        whole.rstrip()
        console.print(whole, soft_wrap=True)

    if cells or keep_empty:
        line(titles, "bold")
    for n, row in enumerate(cells):
        if heads:
            console.print(Text(printable(heads[n])), soft_wrap=True)
        line(row)


def fits(columns: Sequence[Column], rows: Sequence[Sequence[str]], room: int) -> bool:
    """Whether the table can be made narrow enough, by what may be shortened and left out."""
    return _width(fitted(_wished(columns, rows), columns, room)) <= room


def left_over(columns: Sequence[Column], rows: Sequence[Sequence[str]], room: int) -> int:
    """The cells that one more column could have beside the others, none of them shortened."""
    return room - _width(_wished(columns, rows)) - GAP


def _wished(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> dict[int, int]:
    """The widths of the columns that have anything to say, with nothing shortened."""
    from rich.cells import cell_len

    return {
        n: max(cell_len(text) for text in (column.title, *(printable(row[n]) for row in rows)))
        for n, column in enumerate(columns)
        if any(row[n] for row in rows)
    }


def _width(widths: Mapping[int, int]) -> int:
    return sum(widths.values()) + GAP * (len(widths) - 1)


def _style(column: Column, cell: str) -> str:
    found = (style for word, style in column.styles.items() if cell.startswith(word))
    return next(found, "")


def fitted(widths: dict[int, int], columns: Sequence[Column], room: int) -> dict[int, int]:
    """The widths with the widest elastic columns narrowed until all fit, if they can.

    Columns with a rank go, the highest first, before names become too short to be told apart.
    """
    widths = dict(widths)
    elastic = [n for n in widths if columns[n].is_elastic]
    optional = sorted((n for n in widths if columns[n].rank), key=lambda n: columns[n].rank)
    while _width(widths) > room:
        wide = [
            n
            for n in elastic
            if n in widths and widths[n] > (columns[n].comfort if optional else NARROWEST)
        ]
        if wide:
            widths[max(wide, key=lambda n: widths[n])] -= 1
        elif optional:
            del widths[optional.pop()]
        else:
            break
    return widths


def shortened(text: str, width: int, ellipsis: str = "…") -> str:
    """The text within so many columns: its beginning and its end, since both tell names apart."""
    from rich.cells import cell_len, set_cell_size

    if cell_len(text) <= width:
        return text
    room = max(width - len(ellipsis), 0)
    front = set_cell_size(text, room - room // 2).rstrip()
    back = text
    while back and cell_len(back) > room // 2:
        back = back[1:]
    return f"{front}{ellipsis}{back}"


def count(number: int, word: str, plural: str = "") -> str:
    """`1 run`, `1,204 runs`."""
    return f"{number:,} {word if number == 1 else plural or f'{word}s'}"
