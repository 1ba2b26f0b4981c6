"""Reads a folder of `.runline` files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Self

from ferry_runline.lines import NAME, SUFFIX, batch_of, header_of, series_of
from runferry import chunks
from runferry.errors import NotFound, SourceChanged
from runferry.model import Cursor, Kind, Run
from runferry.ports import BATCH_ROWS, Location, ReadOptions


class RunlineReader:
    """One file a run; a file that grows is continued from."""

    name: ClassVar[str] = NAME
    gives: ClassVar[frozenset[Kind]] = frozenset({"scalar"})

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """A folder with at least one such file: names decide, nothing is read."""
        return path.is_dir() and any(path.glob(f"*{SUFFIX}"))

    @classmethod
    def open(cls, where: Location, options: ReadOptions) -> Self:
        """Raises NotFound. The options are for naive times and tables: there are none."""
        if not where.path.is_dir():
            raise NotFound("no such folder", where=str(where), hint=f"ls {where.path.parent}")
        return cls(where.path)

    def runs(self) -> Iterator[Run]:
        """By name. Only the first line of each file is read."""
        for path in sorted(self._folder.glob(f"*{SUFFIX}")):
            with path.open("rb") as file:
                line = file.readline()
            if line.endswith(b"\n"):  # else it is being written, and will be a run soon
                yield header_of(json.loads(line), path.stem)

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[chunks.Chunk]:
        """A position is a number of bytes, and a digest of what they said."""
        digest = hashlib.sha256()
        rows: list[list[Any]] = []
        with (self._folder / f"{run.key.run_id}{SUFFIX}").open("rb") as file:
            offset = _passed(file.read, after, digest)
            for line in file:
                if not line.endswith(b"\n"):
                    break  # it is still being written
                match json.loads(line):
                    case list(row):
                        rows.append(row)
                    case {"series": _} as stated:
                        yield chunks.SeriesFacts((series_of(stated),))
                    case stated:
                        run = header_of(stated, run.key.run_id)
                digest.update(line)
                offset += len(line)
                if len(rows) == BATCH_ROWS:
                    yield chunks.Points(batch_of(rows))
                    yield chunks.Checkpoint([offset, digest.hexdigest()])
                    rows = []
        if rows:
            yield chunks.Points(batch_of(rows))
        yield chunks.Header(run)
        yield chunks.Checkpoint([offset, digest.hexdigest()])

    def close(self) -> None:
        """Nothing is held."""


def _passed(read: Any, after: Cursor | None, digest: Any) -> int:
    """Read what was read before, and no more. Raises SourceChanged where it is not that."""
    match None if after is None else after.position:
        case None:
            return 0
        case [int(offset), str(expected)] if offset >= 0:
            left = offset
            while left and (piece := read(min(left, 1 << 20))):
                digest.update(piece)
                left -= len(piece)
            if not left and digest.hexdigest() == expected:
                return offset
            raise SourceChanged("what was read before has changed or is gone")
        case other:
            raise SourceChanged(f"a position that no reader gave: {other!r}")
