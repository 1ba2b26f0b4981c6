"""Of which types values are moved, where the user names some (`--tb-types scalar,image`). Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from runferry import chunks
from runferry.chunks import Chunk
from runferry.losses import Fate, Loss
from runferry.model import DataKind, Series, SeriesCounts
from runferry.transfer.foretell import MEDIA_KINDS

TYPES: Final = ("scalar", "text", "histogram", *MEDIA_KINDS)


@dataclass(frozen=True, slots=True)
class ValueTypes:
    """Those of `TYPES` that are moved; none named means all. Attributes and files have no type."""

    names: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.names)

    def takes(self, kind: DataKind) -> bool:
        """Whether any value of this kind is moved."""
        if kind == "media":
            return any(map(self.takes_medium, MEDIA_KINDS))
        return not self.names or kind in self.names

    def takes_medium(self, media_type: str) -> bool:
        """Whether media of this type are moved."""
        return not self.names or media_type in self.names

    def of(self, chunk: Chunk) -> Chunk | None:
        """A chunk without what is not moved; None where that is all of it."""
        match chunk:
            case chunks.Points():
                return chunk if self.takes("scalar") else None
            case chunks.Texts():
                return chunk if self.takes("text") else None
            case chunks.Histograms():
                return chunk if self.takes("histogram") else None
            case chunks.Media(items):
                kept = tuple(item for item in items if self.takes_medium(item.media_type))
                return replace(chunk, items=kept) if kept else None
            case _:
                return chunk

    def left_out(self, series: Series, kind: DataKind, counts: SeriesCounts) -> Iterator[Loss]:
        """What is not moved of a series; media are counted by type, and told by `media`."""
        if kind != "media" and not self.takes(kind):
            yield self._loss(series.key, max(counts.points, 1))

    def media(self, rows: dict[str, int]) -> Iterator[Loss]:
        """The media that are not moved, by their type; `rows` is how many there are."""
        for media_type, count in rows.items():
            if count > 0 and not self.takes_medium(media_type):
                yield self._loss(media_type, count)

    def _loss(self, where: str, count: int) -> Loss:
        asked = ", ".join(sorted(self.names))
        return Loss("left-out", Fate.EXCLUDED, where, count, f"of another type than {asked}")
