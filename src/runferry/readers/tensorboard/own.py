"""Records of plugin runferry: a run that we wrote is given back as it was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from runferry import chunks
from runferry.dialects.chunk_trees import chunk_of
from runferry.dialects.tensorboard.names import END_TAG, TAG_PREFIX
from runferry.dialects.tensorboard.own_files import (
    CONFIG_TAG,
    LOST_TAG,
    MALFORMED,
    MARK_TAG,
    SEAL_TAG,
    Mark,
    kept_blob,
    key_in_file,
    raw_of,
)
from runferry.losses import Fate, Loss
from runferry.readers.declared import Declared
from runferry.readers.own_run import OwnRun
from runferry.readers.tensorboard.latest import Latest
from runferry.tables import loads


@dataclass
class Own(OwnRun):
    """What our records in event files have said so far."""

    is_sending: bool = False  # a push has begun since the last seal

    def key(self, tag: str) -> str | None:
        """The key of the series that a tag of ours stands for."""
        return self.original_key(key_in_file(tag))

    def take(
        self,
        file: Path,
        place: str,
        message: dict[str, Any],
        declared: Declared,
        latest: Latest,
    ) -> Iterator[chunks.Chunk]:
        """One record of ours; what cannot be understood is kept raw, and a loss."""
        tag, content = str(message.get("tag", "")), cast("bytes", message.get("json", b""))
        if tag in (END_TAG, LOST_TAG) and not self.is_sending:  # a seal may restate a header alone
            self.is_sending = True
            latest.begin()
        try:
            yield from latest.hold(self._taken(file, tag, content, declared))
        except MALFORMED as error:
            detail = f"{tag} is not what runferry writes: {error}"
            yield chunks.Lost(Loss("bad-record", Fate.DROPPED, place, 1, detail))
            yield chunks.Raw(tag, detail, content)

    def _taken(
        self, file: Path, tag: str, content: bytes, declared: Declared
    ) -> Iterator[chunks.Chunk]:
        if tag == MARK_TAG:
            mark = Mark.of(content)
            self.begin(mark.uid, mark.run)
        elif tag == SEAL_TAG:
            self.is_sealed, self.is_sending = True, False
        elif tag not in (END_TAG, CONFIG_TAG):
            self.is_sealed = False
            kind, tree = tag.removeprefix(TAG_PREFIX), loads(content)
            if kind == "raw":
                yield raw_of(file, tree)
                return
            chunk = chunk_of(kind, tree, lambda stated: kept_blob(file, stated))
            yield from self.restored(chunk, declared)


def mark_in(content: bytes) -> Mark | None:
    """The mark that a record of ours holds; None if it is garbled."""
    try:
        return Mark.of(content)
    except MALFORMED:
        return None
