"""stdout and stderr: what they can spell, whether they are terminals, whether colour is wanted."""

from __future__ import annotations

import io
import json
import os
import sys
from typing import TYPE_CHECKING, TextIO

from runferry.cli.pipes import Answer, Remarks, heard

if TYPE_CHECKING:
    from rich.console import Console

    from runferry.settings import Color

PLAIN_WIDTH = 80
"""Columns where there is no terminal that could tell."""


def prepare() -> None:
    """A character that a stream cannot spell is escaped; one that takes no more is heard.

    stdout then ends the verb; stderr, which is nobody's answer, does not.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.stdout = heard(sys.stdout, Answer)
    sys.stderr = heard(sys.stderr, Remarks)


def spells(stream: TextIO, text: str) -> bool:
    """Whether the stream's encoding has these characters."""
    try:
        text.encode(stream.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def console(stream: TextIO, color: Color) -> Console:
    """A rich console on the stream; `auto` follows the terminal, NO_COLOR and TERM."""
    from rich.console import Console

    can_tell = stream.isatty() or "COLUMNS" in os.environ
    return Console(
        file=stream,
        force_terminal=True if color == "always" else None,
        no_color=True if color == "never" else None,
        color_system="standard" if color == "always" else "auto",
        width=None if can_tell else PLAIN_WIDTH,
        emoji=False,
        highlight=False,
        markup=False,
    )


def print_json(document: object) -> None:
    """One JSON document on stdout, in ASCII where the stream has no more."""
    is_ascii = not spells(sys.stdout, "\u2026\U0001f6a2")
    text = json.dumps(document, ensure_ascii=is_ascii, allow_nan=False, indent=2)
    sys.stdout.write(f"{text}\n")


def printable(text: str) -> str:
    """The text without control characters: a name from somebody's file cannot drive a terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
