"""Texts, histograms, media and lines of a terminal, as the objects that Aim tracks."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from runferry.dialects.aim.places import LOGS
from runferry.dialects.json_trees import mended
from runferry.writers.aim.names import Context, Names
from runferry.writers.plain_folder.staged import Staged

_MOST_BINS: Final = 512
_SOUNDS: Final = ("wav", "mp3", "flac")
_MICROS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Row:
    """What is tracked at one step of a sequence: descriptions of objects, and their bytes."""

    name: str
    context: Context
    step: int
    time_us: int | None
    items: list[tuple[dict[str, Any], bytes]] = field(default_factory=list)


class Others:
    """All rows of a run that are no numbers."""

    def __init__(self, staged: Staged, names: Names) -> None:
        self._staged = staged
        self._names = names

    def rows(self) -> Iterator[Row]:
        """Kind by kind, each in the order in which it came."""
        yield from self._texts()
        yield from self._histograms()
        yield from self._media()
        yield from self._lines()

    def _texts(self) -> Iterator[Row]:
        for row in self._of("texts", "text"):
            if row["text"] is not None:
                yield self._row(row, "text", [({"type": "text"}, _bytes(row["text"]))])

    def _histograms(self) -> Iterator[Row]:
        for row in self._of("histograms", "edges", "counts", "counts_kind"):
            found = _even(row["edges"], row["counts"])
            if found is not None:
                low, high, weights = found
                is_whole = row["counts_kind"] == "int" and bool((weights == weights.round()).all())
                kept = weights.astype("<i8" if is_whole else "<f8")
                told = {"type": "histogram", "dtype": str(kept.dtype), "range": [low, high]}
                yield self._row(row, "histogram", [(told, kept.tobytes())])

    def _media(self) -> Iterator[Row]:
        """Several of one source row are tracked at once."""
        last: Row | None = None
        at: tuple[Any, ...] = ()
        for row in self._of("media", "media_type", "file", "caption", "mime"):
            item = self._medium(row)
            if item is None:
                continue
            where = (row["key"], row["media_type"], row["seq"], row["step"])
            if last is not None and where == at:
                last.items.append(item)
                continue
            if last is not None:
                yield last
            last, at = self._row(row, row["media_type"], [item]), where
        if last is not None:
            yield last

    def _medium(self, row: dict[str, Any]) -> tuple[dict[str, Any], bytes] | None:
        """A medium whose bytes are there, of the kinds that Aim shows."""
        kind = row["media_type"]
        if row["file"] is None or kind not in ("image", "audio", "plot"):
            return None
        told: dict[str, Any] = {"type": kind, "caption": mended(row["caption"] or "")}
        content = self._staged.home.joinpath(*row["file"].split("/")).read_bytes()
        if kind == "audio":
            told["format"] = _sound(row)
            return None if told["format"] not in _SOUNDS else (told, content)
        return None if kind == "plot" and not _is_plotly(content) else (told, content)

    def _lines(self) -> Iterator[Row]:
        """What the run printed; of a run that has it as a file, the lines of that."""
        numbers = count()
        for batch in self._staged.printed():
            for time, line in _timed(batch):
                yield _line(next(numbers), time, line)

    def _of(self, table: str, *names: str) -> Iterator[dict[str, Any]]:
        for batch in self._staged.batches(table):
            yield from (_micros(batch).select(["key", "step", "time", "seq", *names]).to_pylist())

    def _row(
        self, row: dict[str, Any], kind: str, items: list[tuple[dict[str, Any], bytes]]
    ) -> Row:
        step = row["seq"] if row["step"] is None else row["step"]
        return Row(*self._names.of(row["key"], kind), step, row["time"], items)


def framed(rows: list[Row], time_us: int) -> tuple[dict[str, Any], bytes]:
    """A frame of rows; those without a time have `time_us`."""
    told, contents = [], []
    for row in rows:
        items = []
        for item, content in row.items:
            items.append({**item, "size": len(content)})
            contents.append(content)
        time = (time_us if row.time_us is None else row.time_us) / _MICROS
        at = {"name": row.name, "context": row.context, "step": row.step, "time": time}
        told.append({**at, "items": items})
    return {"kind": "objects", "rows": told}, b"".join(contents)


def _line(number: int, time_us: int | None, line: str) -> Row:
    content = _bytes(line.removesuffix("\n").removesuffix("\r"))
    return Row(LOGS, {}, number, time_us, [({"type": "line"}, content)])


def _timed(batch: pa.RecordBatch) -> Iterator[tuple[int | None, str]]:
    rows = _micros(batch)
    yield from zip(rows.column("time").to_pylist(), rows.column("line").to_pylist(), strict=True)


def _micros(batch: pa.RecordBatch) -> pa.RecordBatch:
    at = batch.schema.get_field_index("time")
    return batch.set_column(at, "time", batch.column(at).cast(pa.int64()))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _sound(row: dict[str, Any]) -> str:
    """The form of a sound, by its type or by the name of its file."""
    form = str(row["mime"] or "").rpartition("/")[2].removeprefix("x-")
    form = {"mpeg": "mp3", "wave": "wav"}.get(form, form)
    return form if form in _SOUNDS else row["file"].rpartition(".")[2].lower()


def _is_plotly(content: bytes) -> bool:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and isinstance(found.get("data"), list)


def _even(
    edges: list[float | None] | None, counts: list[float | None] | None
) -> tuple[float, float, NDArray[np.float64]] | None:
    """Range and weights of equal bins, which Aim's are: of others the counts are spread evenly.

    Empty bins at either end, which TensorBoard lets reach to infinity, are left out. None for what
    is no histogram.
    """
    if not edges or not counts or len(edges) != len(counts) + 1 or None in (*edges, *counts):
        return None
    found, weights = np.array(edges, np.float64), np.array(counts, np.float64)
    some = np.flatnonzero(weights)
    if len(some):
        found, weights = found[some[0] : some[-1] + 2], weights[some[0] : some[-1] + 1]
    low, high = float(found[0]), float(found[-1])
    is_sound = math.isfinite(high - low) and high > low and bool((np.diff(found) >= 0).all())
    if not is_sound or not np.isfinite(weights).all():
        return None
    even = np.linspace(low, high, min(len(weights), _MOST_BINS) + 1)
    if len(even) == len(found) and np.allclose(even, found, rtol=0, atol=(high - low) * 1e-9):
        return low, high, weights
    total = np.concatenate([[0.0], np.cumsum(weights)])
    return low, high, np.diff(np.interp(even, found, total))
