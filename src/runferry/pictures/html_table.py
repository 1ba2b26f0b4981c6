"""Tables of an HTML page that become lists of cards where the window is narrow."""

from __future__ import annotations

from collections.abc import Iterable


def table(titles: tuple[str, ...], rows: Iterable[str]) -> str:
    """All of it; a title that begins with `#` is that of a column of numbers."""
    heads = "".join(
        f'<th scope="col" class="n">{title[1:]}</th>'
        if title.startswith("#")
        else f'<th scope="col">{title}</th>'
        for title in titles
    )
    return (
        f'<div class="scroll"><table><thead><tr>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def row(titles: tuple[str, ...], cells: Iterable[str], marks: str = "") -> str:
    """One row; each cell says which column it is of, for where no heading stands above it."""
    parts = []
    for n, (title, content) in enumerate(zip(titles, cells, strict=True)):
        kind = ' class="n"' if title.startswith("#") else ""
        said = f' data-title="{title.removeprefix("#")}"' if n else ""
        parts.append(f"<td{kind}{said}>{content}</td>")
    return f"<tr{marks}>{''.join(parts)}</tr>"


def counted(number: int, word: str) -> str:
    """`1 run`, `2 runs`."""
    return f"{number:,} {word if number == 1 else f'{word}s'}"
