"""The blocks of a page of the documentation, and the notes that stand before them.

A note is an HTML comment on a line of its own, which no reader of the page sees:

    <!-- given: NAME … -->      tests/docs/given/NAME.py is run in the page's folder first
    <!-- with: NAME -->         this server of `doc_services` runs for the rest of the page
    <!-- file: NAME -->         the block that follows is a file of this name
    <!-- fresh -->              a new, empty folder from here on
    <!-- exits: N -->           the last command of the block that follows ends with this code
    <!-- not run: REASON -->    the block that follows is not run
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

RUN = ("console", "sh", "bash", "python")
"""Languages of blocks that are commands."""

_NOTE = re.compile(r"<!-- (given|with|file|fresh|exits|not run)(?:: (.*?))? -->")
_FENCE = re.compile(r"(`{3,})(.*)")


@dataclass(frozen=True)
class Note:
    """What is to be known of the block that follows."""

    word: str
    value: str


@dataclass(frozen=True)
class Call:
    """One command of a console, with what the page says that it prints."""

    command: str
    output: tuple[str, ...]
    line: int  # of the page, where the output begins; counted from 0


@dataclass(frozen=True)
class Block:
    """A fenced block."""

    page: Path
    language: str
    lines: tuple[str, ...]
    line: int  # of the page, the first one inside; counted from 0

    @property
    def text(self) -> str:
        return "".join(f"{line}\n" for line in self.lines)

    @property
    def where(self) -> str:
        return f"{self.page.name}:{self.line + 1}"

    @property
    def is_session(self) -> bool:
        """Whether somebody types commands in it."""
        return any(line.startswith("$ ") for line in self.lines)


def parts_of(page: Path) -> Iterator[Block | Note]:
    """Blocks and notes, in order."""
    lines = page.read_text(encoding="utf-8").splitlines()
    at = 0
    while at < len(lines):
        if found := _NOTE.fullmatch(lines[at]):
            yield Note(found[1], found[2] or "")
        elif fence := _FENCE.match(lines[at]):
            begin = at + 1
            end = lines.index(fence[1], begin)
            yield Block(page, fence[2].strip(), tuple(lines[begin:end]), begin)
            at = end
        at += 1


def calls_of(block: Block) -> list[Call]:
    """The commands of a console block; one goes on over lines while a quote of it is open."""
    calls: list[Call] = []
    at = 0
    while at < len(block.lines):
        assert block.lines[at].startswith("$ "), f"{block.where}: output before any command"
        command = block.lines[at][2:]
        while not _is_whole(command):
            at += 1
            command += "\n" + block.lines[at]
        begin = at = at + 1
        while at < len(block.lines) and not block.lines[at].startswith("$ "):
            at += 1
        calls.append(Call(command, block.lines[begin:at], block.line + begin))
    return calls


def _is_whole(command: str) -> bool:
    try:
        shlex.split(command, comments=True)
    except ValueError:
        return False
    return not command.endswith("\\")
