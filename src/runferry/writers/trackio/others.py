"""Texts, histograms and media as the values that trackio logs for them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

import pyarrow as pa

from runferry.dialects.json_trees import parse_json
from runferry.writers.plain_folder.run_files import RunFiles
from runferry.writers.plain_folder.staged import Staged
from runferry.writers.trackio.shown_tables import shown_table

_SHOWN: Final = {
    "image": "trackio.image",
    "audio": "trackio.audio",
    "video": "trackio.video",
    "html": "trackio.html",
    "object3d": "trackio.object3d",
}
"""Kinds of media that trackio shows, and its words for them."""

Value = tuple[int, int | None, int | None, str, object]
"""Source row, step, time in µs, key and value."""


def texts(staged: Staged) -> Iterator[Value]:
    """Texts; what was logged as JSON is that."""
    for batch in staged.batches("texts"):
        for row in _rows(batch, "text", "form"):
            if row["text"] is None:
                value: object = None
            elif row["form"] == "json":
                value = _parsed(row["text"])
            else:
                value = row["text"]
            yield row["seq"], row["step"], row["time"], row["key"], value


def histograms(staged: Staged) -> Iterator[Value]:
    """Edges and counts."""
    for batch in staged.batches("histograms"):
        for row in _rows(batch, "edges", "counts", "counts_kind"):
            if row["edges"] is None or row["counts"] is None:
                continue
            counts = [_number(one, row["counts_kind"] == "int") for one in row["counts"]]
            bins = [_number(one) for one in row["edges"]]
            value = {"_type": "trackio.histogram", "bins": bins, "values": counts}
            yield row["seq"], row["step"], row["time"], row["key"], value


def media(staged: Staged, files: RunFiles, project: str) -> Iterator[Value]:
    """Media whose bytes are there, of the kinds that trackio shows, and tables."""
    for batch in staged.batches("media"):
        for row in _rows(batch, "media_type", "file", "caption"):
            value = row["file"] and _shown(row, staged, files, project)
            if value is not None:
                yield row["seq"], row["step"], row["time"], row["key"], value


def _shown(row: dict[str, Any], staged: Staged, files: RunFiles, project: str) -> object | None:
    if row["media_type"] == "table":
        return shown_table(staged.home.joinpath(*row["file"].split("/")))
    kind = _SHOWN.get(row["media_type"])
    if kind is None:
        return None
    step = row["seq"] if row["step"] is None else row["step"]
    place = files.put_step(row["key"], step, row["file"])
    return {"_type": kind, "file_path": f"{project}/{place}", "caption": row["caption"]}


def _rows(batch: pa.RecordBatch, *names: str) -> Iterator[dict[str, Any]]:
    at = batch.schema.get_field_index("time")
    batch = batch.set_column(at, "time", batch.column(at).cast(pa.int64()))
    yield from batch.select(["key", "step", "time", "seq", *names]).to_pylist()


def _parsed(text: str) -> object:
    try:
        return parse_json(text)
    except ValueError:  # what a source took for JSON and Python does not, or nested beyond reason
        return text


def _number(value: float | None, is_count: bool = False) -> object:
    """As trackio spells a number."""
    if value is None:
        return None
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return int(value) if is_count and value.is_integer() else value
