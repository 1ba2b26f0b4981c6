"""A log that lies in a run's folder, as console lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from runferry.chunks import Chunk
from runferry.dialects.run_folder import file_beside
from runferry.losses import Loss
from runferry.readers.console_log import log_chunks
from runferry.readers.run_folders.documents import lost
from runferry.readers.run_folders.position import Grown, Position


def console(
    home: Path,
    name: str,
    position: Position,
    *,
    is_over: bool,
    time_of: Callable[[str], int | None] = lambda line: None,
) -> Iterator[Chunk]:
    """The lines that have not been read; `position` is brought up to each chunk.

    `time_of` and `is_over` are as in `log_chunks`. Raises SourceChanged.
    """
    done = position.grown.setdefault(name, Grown())
    path = file_beside(home, name)
    if isinstance(path, Loss):
        yield from position.news(lost((path,)))
    if not isinstance(path, Path):
        return
    done.check(path)
    lines = log_chunks(path, done.offset, done.rows, is_over=is_over, time_of=time_of)
    for done.offset, done.rows, chunk in lines:
        yield chunk
    done.sign(path)
