"""History values that are no scalar: texts, histograms and media, told apart and made rows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pyarrow as pa

from runferry import chunks, tables
from runferry.dialects.wandb.values import Code
from runferry.model import Address, DataKind, MediaItem, Tree
from runferry.ports import BATCH_ROWS
from runferry.readers.row_batches import TextRow, address_columns, text_batch
from runferry.readers.wandb.files import followed
from runferry.readers.wandb.media import is_media, media_items
from runferry.readers.wandb.trees import parse_json

_MEDIA_AT_ONCE = 1024
_BINS_AT_MOST = 1 << 20  # of a packed histogram; beyond, it stays the text that it is


@dataclass
class ValueRows:
    """Collects values of one batch and gives them as chunks; never holds more than one batch."""

    files: Path | None
    texts: list[TextRow] = field(default_factory=list)
    histograms: list[tuple[object, ...]] = field(default_factory=list)
    media: list[MediaItem] = field(default_factory=list)

    def add(self, key: str, at: Address, text: str, code: int = 0) -> DataKind:
        """Take one value as its JSON text; returns the kind it was taken for.

        `code` is what a row of ours says that it is, as `_native.WandbBatch.values` has it.
        """
        if code:
            return self._add_own(key, at, text, Code(code))
        try:
            value = parse_json(text)
        except ValueError:
            self.texts.append((key, at, text, "json"))
            return "text"
        return self.add_value(key, at, value, text)

    def add_value(self, key: str, at: Address, value: Tree, text: str) -> DataKind:
        """The same for a value that is parsed already."""
        if isinstance(value, str):
            self.texts.append((key, at, value, "text"))
            return "text"
        if isinstance(value, dict) and value.get("_type") == "histogram":
            row = _histogram(value)
            if row is not None:
                self.histograms.append((key, at, *row))
                return "histogram"
        if isinstance(value, dict) and is_media(value):
            self.media.extend(media_items(key, at, value, self.files))
            return "media"
        self.texts.append((key, at, text, "json"))
        return "text"

    def _add_own(self, key: str, at: Address, text: str, code: Code) -> DataKind:
        match code:
            case Code.TEXT:
                self.texts.append((key, at, str(parse_json(text)), "text"))
            case Code.JSON:
                self.texts.append((key, at, text, "json"))
            case Code.NULL_TEXT | Code.NULL_JSON:
                form = "text" if code is Code.NULL_TEXT else "json"
                self.texts.append((key, at, None, form))
            case Code.HISTOGRAM:
                return self.add_value(key, at, parse_json(text), text)
            case Code.EXACT_HISTOGRAM:
                self.histograms.append((key, at, *cast("list[object]", tables.loads(text))))
        return "histogram" if code >= Code.HISTOGRAM else "text"

    @property
    def is_full(self) -> bool:
        """Whether `drain` should be called before more is added."""
        longest = max(len(self.texts), len(self.histograms))
        return longest >= BATCH_ROWS or len(self.media) >= _MEDIA_AT_ONCE

    def drain(self) -> Iterator[chunks.Chunk]:
        """All that was collected, as chunks; the collection is empty afterwards."""
        for start in range(0, len(self.texts), BATCH_ROWS):
            yield chunks.Texts(text_batch(self.texts[start : start + BATCH_ROWS]))
        for start in range(0, len(self.histograms), BATCH_ROWS):
            yield chunks.Histograms(_histogram_batch(self.histograms[start : start + BATCH_ROWS]))
        if self.media:
            yield chunks.Media(tuple(self.media))
            yield from self._followed()
        self.texts, self.histograms, self.media = [], [], []

    def _followed(self) -> Iterator[chunks.Chunk]:
        """The media whose files are links."""
        for item in self.media:
            if self.files is None or item.path is None or item.blob.is_missing:
                continue
            if (self.files / item.path).is_symlink():
                yield from followed(self.files, item.path)


def _histogram_batch(rows: list[tuple[object, ...]]) -> pa.RecordBatch:
    keys, addresses, edges, counts, kinds, extra = (list(c) for c in zip(*rows, strict=True))
    columns = address_columns(keys, addresses)
    columns["edges"] = pa.array(edges, pa.list_(pa.float64()))
    columns["counts"] = pa.array(counts, pa.list_(pa.float64()))
    columns["counts_kind"] = pa.array(kinds, pa.string()).cast(
        tables.HISTOGRAMS.field("counts_kind").type
    )
    columns["extra"] = pa.array(extra, pa.string())
    return tables.conform(pa.RecordBatch.from_pydict(columns), tables.HISTOGRAMS)


_Row = tuple[list[float], list[float], str, str | None]  # edges, counts, kind, extra


def _histogram(value: dict[str, Tree]) -> _Row | None:
    """Edges and counts; None for one that float64 cannot give back, which stays JSON.

    Edges are floats whatever their spelling: clients write the edge 0.0 as 0.
    """
    counts = _floats(value.get("values"))
    if counts is None:
        return None
    extra = {name: item for name, item in value.items() if name not in ("_type", "values", "bins")}
    packed = value.get("packedBins")
    if "bins" in value:
        edges = _floats(value["bins"])
    elif isinstance(packed, dict):
        edges = _unpacked(packed)
    else:
        return None
    if edges is None:
        return None
    kinds = {type(item) for item in _items(value.get("values"))}
    kind = "int" if kinds == {int} else "float64"
    return edges, counts, kind, tables.dumps(extra) if extra else None


def _items(value: Tree) -> list[Tree]:
    return value if isinstance(value, list) else []


def _floats(value: Tree) -> list[float] | None:
    if not isinstance(value, list):
        return None
    numbers: list[float] = []
    for item in value:
        if isinstance(item, bool) or not isinstance(item, (int, float)):
            return None
        try:
            number = float(item)
        except OverflowError:
            return None
        if isinstance(item, int) and int(number) != item:
            return None
        numbers.append(number)
    return numbers


def _unpacked(packed: dict[str, Tree]) -> list[float] | None:
    """Edges of equal bins: `count` of them, `size` wide, from `min` on."""
    first, size, count = packed.get("min"), packed.get("size"), packed.get("count")
    if not isinstance(count, int) or isinstance(count, bool) or not 0 <= count <= _BINS_AT_MOST:
        return None
    bounds = _floats([first, size])
    if bounds is None or not all(map(math.isfinite, bounds)):
        return None
    return [bounds[0] + index * bounds[1] for index in range(count + 1)]
