"""Which run of an archive came out of which other: the marks by which pushes find their own."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from runferry.archive.catalog import signature
from runferry.archive.layout import checked_uid
from runferry.errors import ArchiveError
from runferry.model import Uid

if TYPE_CHECKING:
    from runferry.archive.store import Archive

_TICK_NS = 2 * 10**9  # no file system tells times more coarsely

Mark = tuple[str, Uid | None]  # the commit that was read, and the mark in it


class Origins:
    """Kept up to date by looking only at folders that changed, and there at commits that did."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._commits = archive.path / "commits"
        self._changed: dict[str, int] = {}  # when, by shelf
        self._marks: dict[str, dict[Uid, Mark]] = {}
        self._marked: dict[str, dict[Uid, Uid]] = {}  # the runs by their marks

    def find(self, origin: Uid) -> Uid | None:
        """The run that carries this mark. A commit that cannot be read carries none."""
        self._look()
        found = (marked[origin] for marked in self._marked.values() if origin in marked)
        return next(found, None)

    def _look(self) -> None:
        if not self._commits.is_dir():
            return
        for shelf in self._commits.iterdir():
            changed = shelf.stat().st_mtime_ns
            if self._changed.get(shelf.name) == changed:
                continue
            known = self._marks.get(shelf.name, {})
            marks = dict(
                found
                for path in shelf.glob("[!.]*.json")
                if (found := self._mark_in(path, known)) is not None
            )
            self._marks[shelf.name] = marks
            self._marked[shelf.name] = {mark: uid for uid, (_, mark) in marks.items() if mark}
            if changed < time.time_ns() - _TICK_NS:  # else it may change again within its time
                self._changed[shelf.name] = changed

    def _mark_in(self, path: Path, known: dict[Uid, Mark]) -> tuple[Uid, Mark] | None:
        uid = checked_uid(path.stem, str(path))
        try:
            current = signature(path)
            if uid in known and known[uid][0] == current:
                return uid, known[uid]
            record = self._archive.record_in(path.read_bytes(), uid)
        except (FileNotFoundError, ArchiveError):
            return None
        return uid, (current, record.run.origin_uid)
