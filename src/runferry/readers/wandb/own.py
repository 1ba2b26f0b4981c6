"""Records of ours in a `.wandb` file, and values that a row of ours says more of than its JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

from runferry import chunks
from runferry.dialects.chunk_trees import chunk_of
from runferry.dialects.wandb.own_files import (
    ADDRESSES,
    MALFORMED,
    MARK,
    SEAL,
    Mark,
    kept_blob,
    own_content,
    said,
)
from runferry.losses import Fate, Loss
from runferry.model import KeyPath, Stream, Tree
from runferry.readers.declared import Declared
from runferry.readers.own_run import OwnRun

SHOWN: Final = frozenset(
    {
        "header", "run", "telemetry", "environment", "config", "summary", "metric", "files",
        "artifact", "use_artifact", "exit", "final", "footer",
    }
)  # fmt: skip
"""What W&B is shown of a run of ours; our own records say it exactly."""


@dataclass
class Own(OwnRun):
    """What our records have said so far."""

    addresses: dict[str, Tree] = field(default_factory=dict)
    """Where in W&B a series lies → its key in the file."""

    def key(self, stream: Stream, path: KeyPath) -> str | None:
        """The key of the series that lies at this path in W&B."""
        return self.original_key(str(self.addresses.get(_place(stream, path))))

    def take(
        self, folder: Path, place: str, content: bytes, declared: Declared
    ) -> Iterator[chunks.Chunk]:
        """One record of ours; what cannot be understood is kept raw, and a loss."""
        try:
            yield from self._taken(folder, *said(content), declared)
        except MALFORMED as error:
            detail = f"not what runferry writes: {error}"
            yield chunks.Lost(Loss("bad-record", Fate.DROPPED, place, 1, detail))
            yield chunks.Raw("runferry", detail, content)

    def _taken(
        self, folder: Path, kind: str, tree: Tree, declared: Declared
    ) -> Iterator[chunks.Chunk]:
        self.is_sealed = kind == SEAL
        if kind == MARK:
            mark = Mark.of(tree)
            self.begin(mark.uid, mark.run)
        elif kind == ADDRESSES:
            for stream, path, key in cast("list[Any]", tree):
                self.addresses[_place(stream, tuple(path))] = str(key)
        elif kind != SEAL:
            chunk = chunk_of(kind, tree, lambda kept: kept_blob(folder, kept))
            yield from self.restored(chunk, declared)


def _place(stream: Stream, path: KeyPath) -> str:
    return "\0".join((stream, *path))


def mark_in(message: dict[str, Any]) -> Mark | None:
    """The mark that a footer holds; None if it is none of ours, or garbled."""
    content = own_content(message)
    if content is None:
        return None
    try:
        kind, tree = said(content)
        return Mark.of(tree) if kind == MARK else None
    except MALFORMED:
        return None
