"""Words in a cell of text, exactly, with nothing in them that common CSV tools stumble over.

NUL ends a field for some parsers, and a carriage return becomes a line feed in others. So they are
written as the pictures that Unicode has of them: U+2400 for NUL, U+240D for a carriage return. A
word that holds such a picture itself has U+241B (the picture of ESCAPE) in front of it, and a lone
surrogate, which UTF-8 cannot hold, is U+241B, `u` and four hex digits.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

NUL: Final = "\u2400"
RETURN: Final = "\u240d"
ESCAPE: Final = "\u241b"

_PICTURE: Final = {"\0": NUL, "\r": RETURN}
_MEANT: Final = {picture: meant for meant, picture in _PICTURE.items()}
_TO_ESCAPE: Final = re.compile(f"[\0\r{NUL}{RETURN}{ESCAPE}\ud800-\udfff]")
_ESCAPED: Final = re.compile(f"{ESCAPE}(u[0-9a-f]{{4}}|.)|[{NUL}{RETURN}]", re.DOTALL)
_ESCAPES_TO_ARROW: Final = f"[\\x00\r{NUL}{RETURN}{ESCAPE}]"


def spelled(word: str) -> str:
    """A word as it is written."""
    return _TO_ESCAPE.sub(lambda found: _spelling(found[0]), word)


def _spelling(letter: str) -> str:
    if letter in _PICTURE:
        return _PICTURE[letter]
    if "\ud800" <= letter <= "\udfff":
        return f"{ESCAPE}u{ord(letter):04x}"
    return f"{ESCAPE}{letter}"


def meant(cell: str) -> str:
    """The inverse of `spelled`; an escape that it never writes is left as it is."""
    return _ESCAPED.sub(lambda found: _meaning(found[0]), cell)


def _meaning(escaped: str) -> str:
    if escaped in _MEANT:
        return _MEANT[escaped]
    if len(escaped) == 6:
        return chr(int(escaped[2:], 16))
    return escaped[1:] if escaped[1:] in (NUL, RETURN, ESCAPE) else escaped


def spelled_column(column: pa.Array) -> pa.Array:
    """A column of strings as it is written; one that needs no escape is given back as it is."""
    if not pc.any(pc.match_substring_regex(column, _ESCAPES_TO_ARROW)).as_py():
        return column
    return pa.array([_or_none(spelled, word) for word in column.to_pylist()], pa.string())


def meant_column(column: pa.Array) -> pa.Array:
    """The inverse of `spelled_column`."""
    if not pc.any(pc.match_substring_regex(column, f"[{NUL}{RETURN}{ESCAPE}]")).as_py():
        return column
    return pa.array([_or_none(meant, cell) for cell in column.to_pylist()], pa.string())


def _or_none(change: Callable[[str], str], cell: str | None) -> str | None:
    return None if cell is None else change(cell)
