"""Media of SwanLab's records: texts as texts, everything else with its bytes."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runferry.chunks import Chunk, Lost, Media, Texts
from runferry.dialects.swanlab.names import COLUMN_TYPES, MEDIA, TEXT
from runferry.losses import Fate, Loss
from runferry.model import Address, Blob, DataKind, MediaItem, MediaType
from runferry.paths import blob_at, inside
from runferry.ports import BATCH_ROWS
from runferry.readers.row_batches import TextRow, text_batch

_TEXT_AT_MOST = 64 << 20
_MEDIA_AT_MOST = 512


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a media record."""

    file: str  # below `media`
    payload: bytes | None = None
    sha256: str | None = None
    size: int | None = None
    caption: str | None = None


@dataclass(frozen=True, slots=True)
class MediaFound:
    """The items of one record."""

    key: str
    at: Address
    column_type: int
    items: tuple[Item, ...]


def captioned(metric: dict[str, Any]) -> Iterator[tuple[str, str | None]]:
    """The items of a row of JSON, `data`, with what `more` says of each. Raises ValueError."""
    names = metric["data"] if isinstance(metric["data"], list) else [metric["data"]]
    more = metric.get("more") or [None] * len(names)
    for name, said in zip(names, more, strict=True):
        yield str(name), (said or {}).get("caption")


def named_item(
    home: Path, folders: Sequence[str], name: str, caption: str | None, kind: int
) -> Item:
    """An item that a row of JSON names, in the first of these folders of `media` that has it.

    Texts stand in the row itself, but for those of the oldest clients.
    """
    places = [f"{folder}/{name}" for folder in folders]
    held = next((place for place in places if inside(home / MEDIA, place) is not None), None)
    if held is None and kind == TEXT:
        content = name.encode("utf-8", "surrogatepass")
        return Item(f"{folders[0]}/{len(content)}.txt", content, caption=caption)
    return Item(held or places[0], caption=caption)


@dataclass
class MediaRows:
    """Rows of one batch."""

    home: Path
    texts: list[TextRow] = field(default_factory=list)
    items: list[MediaItem] = field(default_factory=list)
    losses: list[Lost] = field(default_factory=list)

    def add(self, key: str, found: MediaFound) -> DataKind:
        """Take the items of one record under the run's key; what kind of rows they became."""
        at, column_type, items = found.at, found.column_type, found.items
        if column_type == TEXT and all(item.caption is None for item in items):
            texts = [self._text(item) for item in items]
            if all(text is not None for text in texts):
                self.texts += [(key, at, text, "text") for text in texts]
                return "text"
        known: MediaType | None = COLUMN_TYPES.get(column_type, ("", "other"))[1]
        for index, item in enumerate(items):
            blob, path = self._blob(item), f"{MEDIA}/{item.file}"
            made = MediaItem(key, at, known or "other", blob, index, path, item.caption)
            self.items.append(made)
        return "media"

    @property
    def is_full(self) -> bool:
        """Whether they are to be drained."""
        return len(self.items) >= _MEDIA_AT_MOST or len(self.texts) >= BATCH_ROWS

    def drained(self) -> Iterator[Chunk]:
        """All rows, and what was lost in them; nothing is held afterwards."""
        if self.texts:
            yield Texts(text_batch(self.texts))
        if self.items:
            yield Media(tuple(self.items))
        yield from self.losses
        self.texts, self.items, self.losses = [], [], []

    def _text(self, item: Item) -> str | None:
        """None for what is not there, and for what is no text."""
        blob = self._blob(item)
        if blob.open is None or (blob.size or 0) > _TEXT_AT_MOST:
            return None
        with blob.open() as stream:
            content = stream.read()
        try:
            return content.decode()
        except UnicodeDecodeError:
            detail = "bytes that are no UTF-8; the file is kept as media"
            self.losses.append(Lost(Loss("bad-utf8", Fate.REENCODED, item.file, 1, detail)))
            return None

    def _blob(self, item: Item) -> Blob:
        kind = mimetypes.guess_type(item.file)[0]
        if item.payload is not None:
            return Blob.from_bytes(item.payload, kind)
        path = inside(self.home / MEDIA, item.file)
        if path is None:
            return Blob(item.size, kind, item.sha256)
        return blob_at(path, kind)
