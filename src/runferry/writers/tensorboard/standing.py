"""How far an event file of ours has come, from the file alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from runferry import _native
from runferry.dialects.tensorboard.names import END_TAG
from runferry.dialects.tensorboard.own_files import (
    ATTRIBUTES_TAG,
    CONFIG_TAG,
    MARK_TAG,
    SEAL_TAG,
    Mark,
    Seal,
)
from runferry.errors import RunMissing

_BETWEEN = (CONFIG_TAG, ATTRIBUTES_TAG)
"""What stands before the end of a chunk."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the next chunk goes. Behind `offset` stands nothing that is whole."""

    mark: Mark
    offset: int
    chunks: int = 0
    seal: Seal | None = None  # the last one
    seal_end: int = 0  # behind it
    is_sealed: bool = False  # nothing came after it
    config: bytes | None = None  # of which configuration HPARAMS knows
    attributes: bytes | None = None  # all of them, as stated last
    tags: dict[str, str] = field(default_factory=dict)  # plugins by tag
    stated: dict[str, str] = field(default_factory=dict)  # digests by what a chunk is `called`

    @classmethod
    def of(cls, path: Path) -> Self:
        """Looks through the file, and checks every byte. Raises RunMissing."""
        try:
            found = _native.EventMarks(path, [MARK_TAG, END_TAG, SEAL_TAG, *_BETWEEN])
        except FileNotFoundError:
            raise RunMissing("the event file is gone", where=str(path)) from None
        mark, offset, chunks, seal, seal_end, is_sealed = None, 0, 0, None, 0, False
        config = next_config = attributes = None
        stated: dict[str, str] = {}
        for tag, end, content in found.marks:
            if tag == CONFIG_TAG:
                next_config = content
            if tag == ATTRIBUTES_TAG:
                attributes = content
            if content is None or tag in _BETWEEN:
                continue
            offset, is_sealed, config = end, tag == SEAL_TAG, next_config
            if tag == MARK_TAG:
                mark = Mark.of(content)
            elif tag == END_TAG:
                ended = json.loads(content)
                chunks = int(ended["chunk"]) + 1
                stated.update(ended.get("states", {}))
            else:
                seal, seal_end = Seal.of(content), end
                chunks = seal.chunks
        if mark is None:
            raise RunMissing("no run of ours in this event file", where=str(path))
        tags = {tag: plugin for tag, plugin, end in reversed(found.tags) if end <= offset}
        return cls(
            mark, offset, chunks, seal, seal_end, is_sealed, config, attributes, tags, stated
        )

    def holds(self, states: Mapping[str, str]) -> bool:
        """Whether the last word of the sending that is under way, or of those before, is this."""
        return bool(states) and not self.is_sealed and states.items() <= self.stated.items()
