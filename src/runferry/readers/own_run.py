"""A run that we wrote into somebody's format is given back as it was, chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import cast

from runferry import chunks
from runferry.dialects.codec import run_of, run_tree
from runferry.model import Run, Series, Tree, Uid
from runferry.readers.declared import Declared


@dataclass
class OwnRun:
    """What our records have said so far: plain data, so a cursor carries it."""

    uid: str = ""  # of the run that was written; empty if nothing here is ours
    run: Tree = None  # its header, the last one stated
    is_sealed: bool = False
    keys: dict[str, Tree] = field(default_factory=dict)  # key in the file → key that the run has

    def begin(self, uid: Uid, run: Run) -> None:
        """The mark says whose file it is."""
        self.uid, self.run = uid, run_tree(run)

    def original_key(self, key: str) -> str | None:
        """The key that a series of the file had."""
        return cast("str | None", self.keys.get(key))

    def header(self, plain: Run) -> Run:
        """The run's header as it was, under the key that it has here."""
        if not self.uid:
            return plain
        run = run_of(self.run)
        is_complete = run.complete and self.is_sealed
        return replace(run, key=plain.key, origin_uid=Uid(self.uid), complete=is_complete)

    def restored(self, chunk: chunks.Chunk, declared: Declared) -> Iterator[chunks.Chunk]:
        """The chunk with the keys and the header that the run had."""
        match chunk:
            case chunks.Header(run):
                self.run = run_tree(run)
            case chunks.SeriesFacts(items):
                yield chunks.SeriesFacts(tuple(self._original(item, declared) for item in items))
            case chunks.Media(items):
                keys = self.original_key
                yield chunks.Media(tuple(replace(it, key=keys(it.key) or it.key) for it in items))
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
