"""What later pushes state again: of each file, artifact and document, the last word counts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace

from runferry.chunks import Artifact, Chunk, Document, File, Lost
from runferry.dialects.chunk_trees import blob_facts, chunk_tree
from runferry.dialects.tensorboard.restated import called
from runferry.losses import Fate, Loss
from runferry.model import Blob, Tree
from runferry.tables import dumps

_Thing = File | Artifact | Document


class Latest:
    """Holds what an archive states as a whole with each push, until all of it was read.

    `things` is what earlier reads gave: digests by what a thing is called. `losses` are counts:
    what was given of a loss, and what the last push has said of it so far.
    """

    def __init__(self, things: dict[str, Tree], losses: dict[str, list[int]]) -> None:
        self.things = things
        self.losses = losses
        self._held: dict[str, _Thing] = {}
        self._lost: dict[str, Loss] = {}

    def begin(self) -> None:
        """Another push begins: a loss that it does not state was taken back."""
        self.losses = {name: [given, 0] for name, (given, _) in self.losses.items()}

    def hold(self, stated: Iterable[Chunk]) -> Iterator[Chunk]:
        """Lets the others through."""
        for chunk in stated:
            name = called(chunk) or ""
            if isinstance(chunk, _Thing):
                self._held[name] = chunk
            elif isinstance(chunk, Lost):
                given, _ = self.losses.get(name, [0, 0])
                self.losses[name] = [given, chunk.loss.count]
                self._lost[name] = chunk.loss
            else:
                yield chunk

    def news(self, *, is_whole: bool) -> Iterator[Chunk]:
        """What was held, and is not as it was given before; `is_whole`: the last push has ended."""
        for name, thing in self._held.items():
            digest = _digest(thing)
            if self.things.get(name) != digest:
                self.things[name] = digest
                yield thing
        self._held.clear()
        yield from self._more(is_whole)

    def _more(self, is_whole: bool) -> Iterator[Lost]:
        """Whoever reads adds losses up, and whoever pushes states their sums."""
        for name, (given, stated) in list(self.losses.items()):
            now = stated if is_whole else max(given, stated)
            self.losses[name] = [now, stated]
            if not (now or stated):
                del self.losses[name]
            if now != given:
                _, code, fate, where = json.loads(name)
                plain = Loss(code, Fate.parse(fate), where)
                yield Lost(replace(self._lost.get(name, plain), count=now - given))


def _digest(thing: _Thing) -> str:
    def stated(blob: Blob, name: str) -> Tree:
        del name
        return {**blob_facts(blob), "is_missing": blob.is_missing}

    spelled = dumps(list(chunk_tree(thing, stated)))
    return hashlib.blake2b(spelled.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
