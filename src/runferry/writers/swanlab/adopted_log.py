"""The log of a run that takes more: what its client has logged, and the whole that is made of it.

The whole has the client's records, then those of what was added, then the client's last. What of
them is damaged cannot be put there, and is told; the client's own log is kept as it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from runferry import _native
from runferry.dialects.swanlab.names import COLUMN, FINISH, MEDIA_RECORD, START, START_NUM
from runferry.dialects.swanlab.wire import parsed
from runferry.losses import Fate, Loss

_MARKS: Final = (START, FINISH)
_KEPT: Final = "not in the log that was made of it, and kept in .runferry/adopted"


@dataclass(slots=True)
class Logged:
    """What the run's own client has logged."""

    start: bytes | None = None
    finish: bytes | None = None
    names: set[str] = field(default_factory=set)
    has_lines: bool = False

    @classmethod
    def of(cls, log: Path) -> Logged:
        """Raises OSError, Damaged, UnknownVersion."""
        found = cls()
        scanner = _native.SwanlabScanner(log)
        while (batch := scanner.next()) is not None:
            found.names.update(batch.series)
            found.has_lines |= batch.console is not None
            for number, _, _, content in batch.records:
                if number == START and found.start is None:
                    found.start = content
                elif number == FINISH and found.finish is None:
                    found.finish = content
                elif number == COLUMN:
                    found.names.add(parsed(content).text(3))
                elif number == MEDIA_RECORD:
                    found.names.add(parsed(content).text(1))
        return found


def start_of(log: Path) -> bytes | None:
    """The first record of a log, which tells one run of SwanLab from another."""
    batch = _native.SwanlabScanner(log, rows=1).next()
    records = [] if batch is None else batch.records
    return next((content for number, _, _, content in records if number == START), None)


def write_whole(
    path: Path, before: Path, start: bytes | None, sections: Sequence[Path]
) -> dict[Path, tuple[Loss, ...]]:
    """Write a log of another, and of what was added; what is not there, by the file it was in.

    `start` is for a log whose client had not written its first record.
    """
    log = _native.SwanlabLog(path, started_ns=0)
    if start is not None:
        log.record(START, start, num=START_NUM)
    last, damage = log.copy(before, without=[FINISH])
    lost = {before: _lost(before, damage, is_over=bool(last))}
    for section in sections:
        _, damage = log.copy(section, without=_MARKS, renumber=True)
        lost[section] = _lost(section, damage, is_over=True)
    for payload in last:  # where whoever looks for it reads
        log.copied(payload)
    log.flush()
    return lost


def _lost(log: Path, damage: Iterable[tuple[int, int, str]], *, is_over: bool) -> tuple[Loss, ...]:
    """Bytes that no copy has; half a record at the end of a log whose client was killed is none."""
    found = []
    for at, length, reason in damage:
        is_open = reason == "cut-tail" and not is_over
        code = reason if reason == "cut-tail" else "damaged-bytes"
        fate = Fate.KEPT if is_open else Fate.DROPPED
        where = f"{log.parent.name}/{log.name}@{at}"
        found.append(Loss(code, fate, where, length, f"{reason}; {_KEPT}"))
    return tuple(found)


def differing(whole: Path, parts: Iterable[Path]) -> list[str]:
    """What of some logs is not in the whole as it is in them, in their order; in words."""
    there, wanted = _Digest(), _Digest()
    there.add(whole)
    for part in parts:
        wanted.add(part)
    return wanted.beside(there)


class _Digest:
    """Of all that logs have, however it is cut into batches: one for what is read in one way."""

    def __init__(self) -> None:
        self._points, self._lines, self._texts, self._others = (hashlib.blake2b() for _ in range(4))

    def beside(self, other: _Digest) -> list[str]:
        """What differs, in words."""
        pairs = {
            "points": (self._points, other._points),
            "lines of the console": (self._lines, other._lines),
            "their text": (self._texts, other._texts),
            "texts, media and columns": (self._others, other._others),
        }
        return [name for name, (one, two) in pairs.items() if one.digest() != two.digest()]

    def add(self, log: Path) -> None:
        """Go on with the records of a log, but the first and the last."""
        keys: list[int] = []  # by their numbers, of which each log has its own
        scanner = _native.SwanlabScanner(log)
        while (batch := scanner.next()) is not None:
            keys += map(_number_of, batch.series)
            if batch.points is not None:
                points = pa.record_batch(batch.points)
                named = pa.array(keys, pa.int64()).take(points["series"])
                cells = (points["step"], points["value"].view(pa.int64()))
                self._points.update(_rows(named, *cells, *_times(points)))
            if batch.console is not None:
                self._add_lines(pa.record_batch(batch.console))
            for number, _, _, content in batch.records:
                if number not in _MARKS:
                    self._others.update(b"%d %d " % (number, len(content)) + content)

    def _add_lines(self, console: pa.RecordBatch) -> None:
        lines = console["line"]
        is_error = pc.equal(console["stream"].dictionary_decode(), "stderr")
        self._lines.update(_rows(is_error, pc.binary_length(lines), *_times(console)))
        self._texts.update("".join(lines.to_pylist()).encode())


def _number_of(key: str) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), signed=True)


def _times(table: pa.RecordBatch) -> tuple[pa.Array, pa.Array]:
    return table["time"].view(pa.int64()), table["time_ns"]


def _rows(*columns: pa.Array) -> bytes:
    """Row after row, each with which of its cells are null."""
    cells = [column.cast(pa.int64()).fill_null(0).to_numpy() for column in columns]
    nulls = [column.is_null().cast(pa.int64()).to_numpy() for column in columns]
    return np.stack([*cells, *nulls], axis=1).tobytes()
