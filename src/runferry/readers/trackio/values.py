"""What a logged value of trackio is: a number, a text, or a mapping whose `_type` says it."""

from __future__ import annotations

import json
import math
import mimetypes
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pyarrow as pa

from runferry import chunks, tables
from runferry.dialects.json_trees import leaves
from runferry.dialects.trackio.places import MEDIA
from runferry.model import Address, Blob, KeyPath, MediaItem, MediaType, Stream, Tree
from runferry.paths import blob_at, inside
from runferry.readers.row_batches import address_columns, scalar_of
from runferry.readers.run_folders.logged_rows import LoggedRows

_FLOATS: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_FILES: Final[dict[str, MediaType]] = {
    "trackio.image": "image",
    "trackio.audio": "audio",
    "trackio.video": "video",
    "trackio.html": "html",
    "trackio.object3d": "object3d",
}
TABLE: Final = "trackio.table"
HISTOGRAM: Final = "trackio.histogram"
_MEDIA_AT_MOST: Final = 512
_BINS_AT_MOST: Final = 1_024


def type_of(value: Tree) -> str | None:
    """The word by which trackio knows what a mapping is."""
    kind = value.get("_type") if isinstance(value, dict) else None
    return kind if isinstance(kind, str) and kind.startswith("trackio.") else None


def number_of(value: Tree) -> Tree:
    """The number that trackio has a word for: NaN and infinities, at any depth of mappings.

    Its own reader undoes that on the first level alone (trackio 0.43, `deserialize_values`).
    """
    return _FLOATS.get(value, value) if isinstance(value, str) else value


def _is_leaf(value: Tree) -> bool:
    return not isinstance(value, dict) or not value or type_of(value) is not None


@dataclass
class Values:
    """Rows of a run as chunks; holds no more than a batch of each kind."""

    folder: Path
    """The one that `media` lies in."""
    rows: LoggedRows
    _bins: list[tuple[str, Address, list[float], list[float], bool]] = field(default_factory=list)
    _media: list[MediaItem] = field(default_factory=list)
    _facts: list[chunks.Chunk] = field(default_factory=list)

    def add(self, at: Address, row: dict[str, Tree], stream: Stream) -> Iterator[chunks.Chunk]:
        """What one call logged; gives what became full by it."""
        plain: list[tuple[KeyPath, Tree]] = []
        for path, value in leaves(row, (), _is_leaf):
            if isinstance(value, str):
                plain.append((path, number_of(value)))
            elif not self._typed(at, path, value):
                plain.append((path, value))
        yield from self.rows.add(at, plain, stream)
        if len(self._bins) >= _BINS_AT_MOST or len(self._media) >= _MEDIA_AT_MOST:
            yield from self.drain()

    def _typed(self, at: Address, path: KeyPath, value: Tree) -> bool:
        """Take a value that is more than a number or a text; False for what is none."""
        if isinstance(value, list):
            kinds = [type_of(item) for item in value]
            if not value or any(kind not in _FILES for kind in kinds):
                return False
            for index, item in enumerate(value):
                self._file(at, path, item, index)
            return True
        kind = type_of(value)
        if kind == HISTOGRAM:
            return self._histogram(at, path, value)
        if kind == TABLE:
            self._table(at, path, value)
            return True
        if kind in _FILES:
            self._file(at, path, value, 0)
            return True
        return False

    def _histogram(self, at: Address, path: KeyPath, value: Tree) -> bool:
        match value:
            case {"_type": _, "bins": list(bins), "values": list(counts), **rest} if not rest:
                edges, heights = _floats(bins), _floats(counts)
            case _:
                return False
        if edges is None or heights is None:
            return False
        whole = all(isinstance(one, int) for one in counts)
        key = self._declared(path, "histogram")
        self._bins.append((key, at, edges, heights, whole))
        return True

    def _table(self, at: Address, path: KeyPath, value: Tree) -> None:
        """Its rows as trackio has them; media in its cells are files of the run."""
        content = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
        blob = Blob.from_bytes(content, "application/json")
        self._media.append(MediaItem(self._declared(path, "media"), at, "table", blob))
        for name in _paths(value):
            self._facts.append(chunks.File(f"{MEDIA}/{name}", "other", self._blob(name)))

    def _file(self, at: Address, path: KeyPath, value: Tree, index: int) -> None:
        assert isinstance(value, dict)
        name, caption = value.get("file_path"), value.get("caption")
        more: Tree = {
            key: item
            for key, item in value.items()
            if key not in {"_type", "file_path"} and not (key == "caption" and _is_text(item))
        }
        where = name if isinstance(name, str) else ""
        kind = _FILES[str(value["_type"])]
        self._media.append(
            MediaItem(
                self._declared(path, "media"),
                at,
                kind,
                self._blob(where),
                index,
                where or None,
                caption if isinstance(caption, str) else None,
                more or None,
            )
        )

    def _blob(self, name: str) -> Blob:
        mime = mimetypes.guess_type(name)[0]
        path = inside(self.folder / MEDIA, name)
        return Blob(media_type=mime) if path is None else blob_at(path, mime)

    def _declared(self, path: KeyPath, kind: str) -> str:
        key, facts = self.rows.declare(path, "histogram" if kind == "histogram" else "media")
        self._facts.extend(facts)
        return key

    def drain(self) -> Iterator[chunks.Chunk]:
        """All that was collected."""
        yield from self._facts
        if self._bins:
            yield chunks.Histograms(_batch(self._bins))
        if self._media:
            yield chunks.Media(tuple(self._media))
        self._facts, self._bins, self._media = [], [], []
        yield from self.rows.drain()


def _is_text(value: Tree) -> bool:
    return value is None or isinstance(value, str)


def _floats(values: list[Tree]) -> list[float] | None:
    """As floats; None where one of them is no finite number that a double holds."""
    found: list[float] = []
    for value in values:
        scalar = scalar_of(_FLOATS.get(value, value) if isinstance(value, str) else value)
        if scalar is None or scalar[0] is None or scalar[1] is not None or scalar[2] == "bool":
            return None
        found.append(scalar[0])
    return found


def _paths(value: Tree) -> Iterator[str]:
    """The files that cells name."""
    if isinstance(value, list):
        for item in value:
            yield from _paths(item)
    elif isinstance(value, dict):
        name = value.get("file_path")
        if type_of(value) in _FILES and isinstance(name, str):
            yield name
        for item in value.values():
            yield from _paths(item)


def _batch(rows: list[tuple[str, Address, list[float], list[float], bool]]) -> pa.RecordBatch:
    columns = address_columns([row[0] for row in rows], [row[1] for row in rows])
    columns["edges"] = pa.array([row[2] for row in rows], pa.list_(pa.float64()))
    columns["counts"] = pa.array([row[3] for row in rows], pa.list_(pa.float64()))
    kinds = pa.array(["int" if row[4] else "float64" for row in rows], pa.string())
    columns["counts_kind"] = kinds.cast(tables.HISTOGRAMS.field("counts_kind").type)
    return tables.conform(pa.RecordBatch.from_pydict(columns), tables.HISTOGRAMS)
