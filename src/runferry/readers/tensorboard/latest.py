"""What later pushes state again: of each file, artifact and document, the last word counts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace

from runferry.chunks import Artifact, Chunk, Document, File, Lost
from runferry.dialects.chunk_trees import blob_facts, chunk_tree
from runferry.model import Blob, Tree
from runferry.tables import dumps

_Thing = File | Artifact | Document | Lost


class Latest:
    """Holds what an archive states as a whole with each push, until all of it was read.

    `known` is what earlier reads gave: digests by what a thing is called, and counts of losses.
    """

    def __init__(self, known: dict[str, Tree]) -> None:
        self.known = known
        self._held: dict[str, _Thing] = {}

    def hold(self, stated: Iterable[Chunk]) -> Iterator[Chunk]:
        """Lets the others through."""
        for chunk in stated:
            if isinstance(chunk, _Thing):
                self._held[_called(chunk)] = chunk
            else:
                yield chunk

    def news(self) -> Iterator[Chunk]:
        """What was held, and is not as it was given before."""
        for name, thing in self._held.items():
            if isinstance(thing, Lost):
                yield from self._more(name, thing)
                continue
            digest = _digest(thing)
            if self.known.get(name) != digest:
                self.known[name] = digest
                yield thing
        self._held.clear()

    def _more(self, name: str, lost: Lost) -> Iterator[Lost]:
        """Whoever reads adds losses up, and whoever pushes states their sums."""
        before = self.known.get(name, 0)
        more = lost.loss.count - (before if isinstance(before, int) else 0)
        if more > 0:
            self.known[name] = lost.loss.count
            yield Lost(replace(lost.loss, count=more))


def _called(thing: _Thing) -> str:
    """What a later statement must share with an earlier one to replace it."""
    match thing:
        case File(path):
            return dumps(["file", path])
        case Artifact():
            version, known_by = thing.version, thing.artifact_id
            return dumps(["artifact", thing.name, thing.type, thing.relation, version, known_by])
        case Document(kind, name):
            return dumps(["document", kind, name])
        case Lost(loss):
            return dumps(["lost", loss.code, loss.fate.label, loss.where])


def _digest(thing: File | Artifact | Document) -> str:
    def stated(blob: Blob, name: str) -> Tree:
        del name
        return {**blob_facts(blob), "is_missing": blob.is_missing}

    spelled = dumps(list(chunk_tree(thing, stated)))
    return hashlib.blake2b(spelled.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
