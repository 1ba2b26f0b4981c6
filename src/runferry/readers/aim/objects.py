"""What an object of Aim's sequences becomes: text, histogram, medium, or a line of the console."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa

from runferry import tables
from runferry.dialects.aim.process import Frame
from runferry.model import Address, Blob, MediaItem, MediaType, Tree
from runferry.readers.row_batches import address_columns

_MEDIA: Final[dict[str, MediaType]] = {
    "aim.image": "image",
    "aim.audio": "audio",
    "aim.figure": "plot",
}
_MIME: Final = {"aim.figure": "application/json"}
LINE: Final = "log_line"

Bins = tuple[str, Address, list[float], list[float], str]
"""Key, address, edges, counts and their kind."""


def kind_of(frame: Frame) -> str:
    """`text`, `histogram`, `media`, `line`, or `json` for what nobody knows."""
    name = frame.told["type"]
    if name == "aim.text":
        return "text"
    if name == "aim.distribution":
        return "histogram"
    if name in _MEDIA:
        return "media"
    return "line" if LINE in (name, frame.told["dtype"]) or name == "aim.log_line" else "json"


def medium(frame: Frame, key: str, at: Address) -> MediaItem:
    """An image, a sound or a figure."""
    fields: dict[str, Any] = dict(frame.told["fields"])
    name, ending = frame.told["type"], str(fields.get("format") or "").lower()
    kind = _MEDIA[name]
    mime = _MIME.get(name) or (f"{kind}/{ending}" if ending else None)
    caption = fields.pop("caption", None)
    return MediaItem(
        key,
        at,
        kind,
        Blob.from_bytes(frame.payload, mime),
        frame.told["index"],
        caption=caption if isinstance(caption, str) and caption else None,
        metadata=fields or None,
    )


def bins(frame: Frame, key: str, at: Address) -> Bins | None:
    """A distribution: equal bins over a range; None for one that is damaged."""
    fields = frame.told["fields"]
    try:
        low, high = fields["range"]
        count = int(fields["bin_count"])
        weights = np.frombuffer(frame.payload, np.dtype(fields["dtype"]), count)
    except (KeyError, ValueError, TypeError):
        return None
    kind = "int" if weights.dtype.kind in "iu" else "float64"
    edges = np.linspace(low, high, count + 1)
    return key, at, edges.tolist(), weights.astype(np.float64).tolist(), kind


def bins_batch(rows: list[Bins]) -> pa.RecordBatch:
    """Histograms as a batch of `tables.HISTOGRAMS`."""
    columns = address_columns([row[0] for row in rows], [row[1] for row in rows])
    columns["edges"] = pa.array([row[2] for row in rows], pa.list_(pa.float64()))
    columns["counts"] = pa.array([row[3] for row in rows], pa.list_(pa.float64()))
    kinds = pa.array([row[4] for row in rows], pa.string())
    columns["counts_kind"] = kinds.cast(tables.HISTOGRAMS.field("counts_kind").type)
    return tables.conform(pa.RecordBatch.from_pydict(columns), tables.HISTOGRAMS)


def text_of(frame: Frame) -> str:
    """A text, or the line of a log."""
    return frame.payload.decode("utf-8", "replace")


def value_of(frame: Frame, kind: str) -> Tree:
    """What a row holds: a text, a number, or any other object as a tree."""
    if kind == "text":
        return text_of(frame)
    if frame.told["type"] in ("int", "float"):
        number: Tree = frame.told["fields"]["value"]
        return number
    return _tree_of(frame)


def _tree_of(frame: Frame) -> Tree:
    """An object's type, its fields, and its bytes as text where they are."""
    told = {"type": frame.told["type"], **frame.told["fields"]}
    if frame.payload:
        told["data"] = text_of(frame) if frame.told["text"] else frame.payload.hex()
    return told
