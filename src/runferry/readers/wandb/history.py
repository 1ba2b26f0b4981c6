"""The layout before 0.10: rows as JSON lines, one file for history and one for system metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from runferry import chunks
from runferry.losses import Fate, Loss
from runferry.model import MediaItem, Stream
from runferry.readers.declared import Declared
from runferry.readers.lines import WholeLines, is_too_long, too_long
from runferry.readers.wandb.json_rows import JsonRows
from runferry.readers.wandb.trees import parse_json


@dataclass
class JsonLines:
    """Reads one file from `offset`, `line` lines having been read before."""

    path: Path
    stream: Stream
    declared: Declared
    files: Path | None
    claim: Callable[[Iterable[MediaItem]], None]
    offset: int = 0
    line: int = 0
    unfinished: int = 0  # bytes of a last line that is cut, or still being written

    def __post_init__(self) -> None:
        self._rows = JsonRows(self.stream, self.declared, self.files, self.claim)

    def rows(self) -> Iterator[chunks.Chunk]:
        """Rows in source order; a line that is no JSON is a loss with its number."""
        with self.path.open("rb") as stream:
            lines = WholeLines(_is_json, self.offset)
            for text in lines.of(stream):
                self.offset = lines.offset
                if is_too_long(text):
                    yield self._too_long()
                else:
                    yield from self._line(text)
            self.unfinished = lines.unfinished
        yield from self._rows.drain()

    def _too_long(self) -> chunks.Lost:
        self.line += 1
        return chunks.Lost(too_long(f"{self.path.name}:{self.line}"))

    def _line(self, text: bytes) -> Iterator[chunks.Chunk]:
        number = self.line
        self.line += 1
        if not text.strip():
            return
        try:
            row = parse_json(text.decode("utf-8"))
            if not isinstance(row, dict):
                raise ValueError("no mapping")
        except ValueError as error:
            where = f"{self.path.name}:{number + 1}"
            yield chunks.Lost(Loss("bad-json", Fate.DROPPED, where, 1, f"not read: {error}"))
            return
        yield from self._rows.add(row, number)


def _is_json(text: bytes) -> bool:
    try:
        parse_json(text.decode("utf-8"))
    except ValueError:
        return False
    return True
