"""Console lines from a log file, for runs whose records hold none."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from io import SEEK_CUR
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from runferry import chunks, tables
from runferry.losses import Fate, Loss
from runferry.paths import spelled

_LINES_AT_ONCE = 16_384
_BYTES_AT_ONCE = 8 << 20
_LINE_AT_MOST = 1 << 20  # a longer line comes in pieces, each of whole characters


def log_chunks(
    path: Path,
    offset: int,
    seq: int,
    *,
    is_over: bool = True,
    time_of: Callable[[str], int | None] = lambda line: None,
) -> Iterator[tuple[int, int, chunks.Chunk]]:
    """Lines from `offset` on; each chunk with the offset and seq that follow it.

    `time_of` reads the time that a line states, as ns since the epoch. Unless the log `is_over`, a
    last line without an end is left for later.
    """
    with path.open("rb") as stream:
        stream.seek(offset)
        while lines := _some_lines(stream, is_over):
            seq += len(lines)
            offset += sum(map(len, lines))
            texts, mended = _decoded(lines)
            yield offset, seq, chunks.Console(_batch(texts, seq - len(lines), time_of))
            if mended:
                detail = (
                    "bytes that are no UTF-8 became U+FFFD here; the file itself is kept as it is"
                )
                loss = Loss("bad-utf8", Fate.REENCODED, spelled(path.name), mended, detail)
                yield offset, seq, chunks.Lost(loss)


def _some_lines(stream: BinaryIO, is_over: bool) -> list[bytes]:
    lines: list[bytes] = []
    length = 0
    while len(lines) < _LINES_AT_ONCE and length < _BYTES_AT_ONCE:
        line = stream.readline(_LINE_AT_MOST)
        is_cut = not line.endswith(b"\n")
        if is_cut and len(line) == _LINE_AT_MOST:
            line, is_cut = _whole_characters(line, stream), False
        if not line or (is_cut and not is_over):
            break
        lines.append(line)
        length += len(line)
    return lines


def _whole_characters(piece: bytes, stream: BinaryIO) -> bytes:
    """A piece of a line without the character that goes on behind it, which is read once more."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    decoder.decode(piece)
    begun, _ = decoder.getstate()
    stream.seek(-len(begun), SEEK_CUR)
    return piece[: len(piece) - len(begun)]


def _decoded(lines: list[bytes]) -> tuple[list[str], int]:
    texts, mended = [], 0
    for line in lines:
        try:
            texts.append(line.decode("utf-8"))
        except UnicodeDecodeError:
            texts.append(line.decode("utf-8", "replace"))
            mended += 1
    return texts, mended


def _batch(
    texts: list[str], first_seq: int, time_of: Callable[[str], int | None]
) -> pa.RecordBatch:
    count = len(texts)
    times = [time_of(text) for text in texts]
    micro = pa.array([None if time is None else time // 1000 for time in times], pa.int64())
    streams = pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int8()), ["stdout"])
    columns = {
        "time": micro.cast(tables.TIME),
        "stream": streams,
        "line": pa.array(texts, pa.string()),
        "seq": pa.array(range(first_seq, first_seq + count), pa.int64()),
    }
    return tables.conform(pa.RecordBatch.from_pydict(columns), tables.CONSOLE)
