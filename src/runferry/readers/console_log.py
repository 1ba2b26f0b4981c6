"""Console lines from `output.log`, for runs whose records hold none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from runferry import chunks, tables
from runferry.losses import Fate, Loss

_LINES_AT_ONCE = 16_384
_BYTES_AT_ONCE = 8 << 20
_LINE_AT_MOST = 1 << 20  # a longer line comes in pieces


def log_chunks(path: Path, offset: int, seq: int) -> Iterator[tuple[int, int, chunks.Chunk]]:
    """Lines from `offset` on, without times; each with the offset and seq that follow it."""
    with path.open("rb") as stream:
        stream.seek(offset)
        while True:
            lines: list[bytes] = []
            length = 0
            while len(lines) < _LINES_AT_ONCE and length < _BYTES_AT_ONCE:
                line = stream.readline(_LINE_AT_MOST)
                if not line:
                    break
                lines.append(line)
                length += len(line)
            if not lines:
                return
            seq += len(lines)
            offset += length
            texts, mended = _decoded(lines)
            yield offset, seq, chunks.Console(_batch(texts, seq - len(lines)))
            if mended:
                detail = (
                    "bytes that are no UTF-8 became U+FFFD here; the file itself is kept as it is"
                )
                loss = Loss("bad-utf8", Fate.REENCODED, path.name, mended, detail)
                yield offset, seq, chunks.Lost(loss)


def _decoded(lines: list[bytes]) -> tuple[list[str], int]:
    texts, mended = [], 0
    for line in lines:
        try:
            texts.append(line.decode("utf-8"))
        except UnicodeDecodeError:
            texts.append(line.decode("utf-8", "replace"))
            mended += 1
    return texts, mended


def _batch(texts: list[str], first_seq: int) -> pa.RecordBatch:
    count = len(texts)
    streams = pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int8()), ["stdout"])
    columns = {
        "stream": streams,
        "line": pa.array(texts, pa.string()),
        "seq": pa.array(range(first_seq, first_seq + count), pa.int64()),
    }
    return tables.conform(pa.RecordBatch.from_pydict(columns), tables.CONSOLE)
