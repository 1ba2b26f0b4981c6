"""stdout and stderr as pipes: what happens when whoever read them has left."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from runferry.errors import ExitCode

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class ReaderGone(SystemExit):
    """Who read stdout reads no more, as `head` that has its lines: the verb ends, and says nothing.

    It is no OSError, which click and rich would make a 1 of, as of a server that hung up.
    """

    def __init__(self) -> None:
        super().__init__(int(ExitCode.READER_GONE))


class Remarks(io.FileIO):
    """What is written once nobody reads goes nowhere, also when the interpreter ends."""

    def write(self, content: ReadableBuffer, /) -> int:
        """As any file's."""
        try:
            return super().write(content)
        except BrokenPipeError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            self.gone()
            return memoryview(content).nbytes

    def gone(self) -> None:
        """Whoever read it has left; told once."""


class Answer(Remarks):
    """Without a reader there is nothing to do."""

    def gone(self) -> None:
        """Raises ReaderGone."""
        raise ReaderGone


def heard(stream: TextIO | None, kind: type[Remarks]) -> TextIO:
    """The same stream, by a file that hears of a broken pipe. Windows has none.

    One that was closed before the program began, as by `>&-`, is None to Python: nobody reads it.
    """
    if stream is None:
        return Path(os.devnull).open("w", encoding="utf-8")
    if not isinstance(stream, io.TextIOWrapper) or os.name == "nt":
        return stream
    file = kind(stream.fileno(), "wb", closefd=False)
    return io.TextIOWrapper(
        file if stream.write_through else io.BufferedWriter(file),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
