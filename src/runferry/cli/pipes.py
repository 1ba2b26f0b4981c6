"""stdout and stderr as files: what happens when nobody reads them, or they can hold no more."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from runferry.errors import ExitCode, RunferryError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class ReaderGone(SystemExit):
    """Who read stdout reads no more, as `head` that has its lines: the verb ends, and says nothing.

    It is no OSError, which click and rich would make a 1 of, as of a server that hung up.
    """

    def __init__(self) -> None:
        super().__init__(int(ExitCode.READER_GONE))


class Unwritten(SystemExit):
    """What stdout goes to takes no more, as a file on a full disk: the verb ends, and says so.

    No OSError either: what the verb worked on is no part of this failure.
    """

    def __init__(self, error: OSError) -> None:
        super().__init__(int(ExitCode.FAILED))
        self.told = RunferryError(
            "the answer cannot be written",
            where=f"stdout: {os.strerror(error.errno or 0)}",
            hint="the same command again, with `>` to another place: what was moved is there",
        )


class Remarks(io.FileIO):
    """What is written once it can go nowhere goes nowhere, also when the interpreter ends."""

    def write(self, content: ReadableBuffer, /) -> int:
        """As any file's."""
        try:
            return super().write(content)
        except OSError as error:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            self.gone(error)
            return memoryview(content).nbytes

    def gone(self, error: OSError) -> None:
        """Whoever read it has left, or its disk is full; told once."""


class Answer(Remarks):
    """Without a reader there is nothing to do, and without room nothing can be answered."""

    def gone(self, error: OSError) -> None:
        """Raises ReaderGone, Unwritten."""
        if isinstance(error, BrokenPipeError):
            raise ReaderGone
        raise Unwritten(error)


def heard(stream: TextIO | None, kind: type[Remarks]) -> TextIO:
    """The same stream, by a file that hears of a broken pipe or a full disk; not on Windows.

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
