"""Records of plugin runferry: a run that we wrote is given back as it was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from runferry import chunks
from runferry.dialects.chunk_trees import chunk_of
from runferry.dialects.codec import run_of, run_tree
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
from runferry.model import Run, Series, Tree, Uid
from runferry.readers.declared import Declared
from runferry.readers.tensorboard.latest import Latest
from runferry.tables import loads


@dataclass
class Own:
    """What our records have said so far: plain data, so a cursor carries it."""

    uid: str = ""  # of the run that was written; empty if nothing here is ours
    run: Tree = None  # its header, the last one stated
    is_sealed: bool = False
    is_sending: bool = False  # a push has begun since the last seal
    keys: dict[str, Tree] = field(default_factory=dict)  # key in the file → key that the run has

    def key(self, tag: str) -> str | None:
        """The key of the series that a tag of ours stands for."""
        return cast("str | None", self.keys.get(key_in_file(tag)))

    def header(self, plain: Run) -> Run:
        """The run's header as it was, under the key that it has here."""
        if not self.uid:
            return plain
        run = run_of(self.run)
        is_complete = run.complete and self.is_sealed
        return replace(run, key=plain.key, origin_uid=Uid(self.uid), complete=is_complete)

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
            self.uid, self.run = mark.uid, run_tree(mark.run)
        elif tag == SEAL_TAG:
            self.is_sealed, self.is_sending = True, False
        elif tag not in (END_TAG, CONFIG_TAG):
            self.is_sealed = False
            kind, tree = tag.removeprefix(TAG_PREFIX), loads(content)
            if kind == "raw":
                yield raw_of(file, tree)
                return
            chunk = chunk_of(kind, tree, lambda stated: kept_blob(file, stated))
            yield from self._restored(chunk, declared)

    def _restored(self, chunk: chunks.Chunk, declared: Declared) -> Iterator[chunks.Chunk]:
        """The chunk with the keys and the header that the run had."""
        match chunk:
            case chunks.Header(run):
                self.run = run_tree(run)
            case chunks.SeriesFacts(items):
                yield chunks.SeriesFacts(tuple(self._original(item, declared) for item in items))
            case chunks.Media(items):
                media = tuple(replace(one, key=self.key(one.key) or one.key) for one in items)
                yield chunks.Media(media)
            case chunks.Attributes(items, is_whole):
                named = tuple(replace(item, name=None) for item in items)
                yield chunks.Attributes(named, is_whole)
            case _:
                yield chunk

    def _original(self, stated: Series, declared: Declared) -> Series:
        series = replace(stated, key=stated.original_key or stated.key, original_key=None)
        self.keys[stated.key] = series.key
        declared.given[series.key] = series
        return series


def mark_in(content: bytes) -> Mark | None:
    """The mark that a record of ours holds; None if it is garbled."""
    try:
        return Mark.of(content)
    except MALFORMED:
        return None
