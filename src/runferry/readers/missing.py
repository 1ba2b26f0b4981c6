"""Bytes that the source names and does not have: counted as they are met, told once a read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from runferry import chunks
from runferry.losses import Fate, Loss

_DETAIL = "named by the source, which has no bytes of them"


class MissingBytes:
    """Watches the chunks of one read; what later reads meet adds up with it.

    Nothing that the source has is lost, so the fate is `kept`: a staging area that was cleaned
    or a `.wandb` file on its own is ordinary. But it must be known before the source is deleted.
    """

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def watched(self, read: Iterable[chunks.Chunk]) -> Iterator[chunks.Chunk]:
        """The same chunks."""
        for chunk in read:
            match chunk:
                case chunks.Media(items):
                    self._counts["media"] += sum(item.blob.is_missing for item in items)
                case chunks.File(blob=blob):
                    self._counts["files"] += blob.is_missing
                case chunks.Artifact(entries=entries):
                    gone = (entry.blob.is_missing and entry.reference is None for entry in entries)
                    self._counts["artifacts"] += sum(gone)
            yield chunk

    def losses(self) -> Iterator[Loss]:
        """One for each of media, files and artifacts."""
        for kind, count in self._counts.items():
            if count:
                yield Loss("missing-bytes", Fate.KEPT, kind, count, _DETAIL)
