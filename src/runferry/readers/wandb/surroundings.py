"""What lies around a run's records: loose files, the console log, the run's files, its sweep."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from runferry import chunks
from runferry.losses import Fate, Loss
from runferry.model import Tree
from runferry.paths import inside, spelled
from runferry.readers.console_log import log_chunks
from runferry.readers.standing_losses import StandingLosses
from runferry.readers.wandb.facts import Facts
from runferry.readers.wandb.files import RunFiles
from runferry.readers.wandb.heads import Head
from runferry.readers.wandb.identity import Group
from runferry.readers.wandb.loose import Loose, loose_config
from runferry.readers.wandb.position import Position


class Surroundings:
    """Reads what is around the records of one run; what was read before, only if it changed."""

    def __init__(
        self,
        group: Group,
        position: Position,
        facts: Facts,
        files: RunFiles,
        standing: StandingLosses,
    ) -> None:
        self._group = group
        self._position = position
        self._facts = facts
        self._files = files
        self._standing = standing
        self.loose = Loose()

    def read(self, *, is_waiting: bool) -> Iterator[chunks.Chunk]:
        """Chunks of all folders of the run, in order of time.

        With `is_waiting` files that a row may still name are left for a later read.

        Files of the first folder have names of their own, those of later ones their folder's before
        them: so a run that is resumed changes no name that was given.
        """
        for index, head in enumerate(self._group.heads):
            prefix = f"{spelled(head.place.folder.name)}/" if index else ""
            yield from self._folder(index, head, prefix, is_waiting=is_waiting)
        yield from self._files.missing()

    def _folder(
        self, index: int, head: Head, prefix: str, *, is_waiting: bool
    ) -> Iterator[chunks.Chunk]:
        home = head.place.files
        if home is None:
            return
        is_authority = head.place.history is not None
        self.loose.read(home, run_id=head.run_id, is_authority=is_authority)
        yield from self._console(index, head, home, prefix)
        found = self._files.changed(
            home, spelled(head.place.folder.name), prefix, is_waiting=is_waiting
        )
        yield from _named_apart(found, prefix)
        yield from self._sweep(index, head)

    def _console(self, index: int, head: Head, home: Path, prefix: str) -> Iterator[chunks.Chunk]:
        """The log, where records hold no console and no more of them are to come."""
        log, segment = home / "output.log", self._position.segments[index]
        is_last = index == len(self._group.heads) - 1
        is_open = is_last and head.content is not None and head.place.history is None
        if segment.has_console or inside(home, log.name) is None:
            return
        if is_open and not self._facts.state.get("exited"):
            return
        if not os.access(log, os.R_OK):
            detail = "cannot be opened: Permission denied"
            loss = Loss("unreadable-file", Fate.DROPPED, prefix + log.name, 1, detail)
            yield from self._standing.met([loss])
            return
        lines = self._position.log_lines
        for offset, following, chunk in log_chunks(log, segment.log_offset, lines):
            segment.log_offset = offset
            self._position.log_lines = following
            yield chunk

    def _sweep(self, index: int, head: Head) -> Iterator[chunks.Chunk]:
        """What the sweep chose for this run; the sweep's own definition is only on the server."""
        sweep = self._facts.text("sweep_id")
        if sweep is None:
            return
        chosen = inside(head.place.folder.parent, f"sweep-{sweep}/config-{head.run_id}.yaml")
        if chosen is None:
            return
        found = chosen.stat()
        stamp: list[Tree] = [found.st_size, found.st_mtime_ns]
        if self._position.sweeps.get(str(index)) == stamp:
            return
        self._position.sweeps[str(index)] = stamp
        body = loose_config(chosen)
        if isinstance(body, dict):
            yield chunks.Document("sweep", sweep, {"parameters": body})
        elif isinstance(body, Loss):
            yield chunks.Lost(body)


def _named_apart(found: Iterator[chunks.Chunk], prefix: str) -> Iterator[chunks.Chunk]:
    count = 0
    for chunk in found:
        count += isinstance(chunk, chunks.File)
        yield chunk
    if prefix and count:
        detail = "an earlier folder of this run has files too; these are named by their folder"
        yield chunks.Lost(Loss("file-name", Fate.RENAMED, prefix, count, detail))
