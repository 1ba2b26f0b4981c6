"""Tables that fit the terminal: one elastic column gives way, in the middle of its text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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
    is_optional: bool = False  # may be left out, where shortening is not enough


def show(
    console: Console,
    columns: Sequence[Column],
    rows: Iterable[Sequence[str]],
    ellipsis: str = "…",
    *,
    keep_empty: bool = False,
) -> None:
    """Prints the table; columns that are empty throughout are left out unless they are wanted."""
    from rich.cells import cell_len
    from rich.text import Text

    titles = [column.title for column in columns]
    cells = [[printable(cell) for cell in row] for row in rows]
    kept = [n for n in range(len(columns)) if keep_empty or any(row[n] for row in cells)]
    widths = {n: max(cell_len(row[n]) for row in (titles, *cells)) for n in kept}
    widths = fitted(widths, columns, console.width)

    def line(row: Sequence[str], style: str = "") -> None:
        texts = []
        for n in widths:
            text = shortened(row[n], widths[n], ellipsis)
            space = " " * (widths[n] - cell_len(text))
            texts.append(text + space if columns[n].side == "left" else space + text)
        console.print(Text((" " * GAP).join(texts).rstrip(), style), soft_wrap=True)

    if cells or keep_empty:
        line(titles, "bold")
    for row in cells:
        line(row)


def fitted(widths: dict[int, int], columns: Sequence[Column], room: int) -> dict[int, int]:
    """The widths with the widest elastic columns narrowed until all fit, if they can.

    Optional columns go, from the left, before names become too short to be told apart.
    """
    widths = dict(widths)
    elastic = [n for n in widths if columns[n].is_elastic]
    optional = [n for n in widths if columns[n].is_optional]
    while sum(widths.values()) + GAP * (len(widths) - 1) > room:
        widest = max(elastic, key=lambda n: widths[n], default=None)
        width = 0 if widest is None else widths[widest]
        if widest is not None and width > (COMFORTABLE if optional else NARROWEST):
            widths[widest] -= 1
        elif optional:
            del widths[optional.pop(0)]
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
