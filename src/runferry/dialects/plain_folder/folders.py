"""Which folder each run has.

A run that replaces an older one is complete before the older one is moved away. Between the two
moves neither stands in `runs`: then the complete attempt counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from runferry.dialects.plain_folder.layout import HIDDEN, RUN_FILE, RUNS, is_uid
from runferry.dialects.plain_folder.names import safe_part
from runferry.dialects.plain_folder.run_file import read_run_file
from runferry.errors import Damaged
from runferry.model import Run, Uid

_PLAIN_NAME: Final = re.compile(r".*-([0-9a-f]{8})", re.DOTALL)


class Folders:
    """Where each run of a folder of plain files lies."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._names: dict[str, list[str]] | None = None

    def find(self, uid: Uid) -> Path | None:
        """The folder of a complete run.

        The first eight digits of a uid end the folder's name, so no other `run.json` is opened; in
        folders that somebody renamed one has to look.
        """
        if self._names is None:
            self._names = {}
            for name in self._listed():
                self._remember(name)
        for name in self._names.get(uid[:8], []):
            folder = self.root / RUNS / name
            if _uid_in(folder) == uid:
                return folder
        return next(self._complete_attempts(uid), None)

    def home(self, run: Run, uid: Uid) -> Path:
        """Where a run is to lie: where it lies already, else by its name."""
        found = self.find(uid)
        if found is not None and found.parent == self.root / RUNS:
            return found
        stem = safe_part(run.name or run.key.run_id, 60)
        wished = self.root / RUNS / f"{stem}-{uid[:8]}"
        if not wished.exists() or _uid_in(wished) == uid:
            return wished
        return self.root / RUNS / f"{stem}-{uid}-{uid[:8]}"  # that one is somebody else's

    def settled(self, folder: Path) -> None:
        """A run of ours has come to lie here."""
        if self._names is not None:
            self._remember(folder.name)

    def in_place(self) -> Iterator[Path]:
        """The folders of all complete runs, by name; damaged ones too, for reading tells why."""
        for name in self._listed():
            if (self.root / RUNS / name / RUN_FILE).is_file():
                yield self.root / RUNS / name

    def copies(self) -> Iterator[Path]:
        """`complete`, and those that somebody took `run.json` out of: a run comes into its place
        whole, and leaves it whole."""
        yield from self.complete()
        for name in self._listed():
            folder = self.root / RUNS / name
            if folder.is_dir() and not (folder / RUN_FILE).is_file():
                yield folder

    def complete(self) -> Iterator[Path]:
        """Those in their place, and then those whose move there was broken off."""
        seen: set[str | None] = set()
        for folder in self.in_place():
            seen.add(_uid_in(folder))
            yield folder
        for uid in sorted(_names_in(self.root / HIDDEN)):
            if is_uid(uid) and uid not in seen:
                yield from self._complete_attempts(Uid(uid))

    def attempts(self, uid: Uid) -> Path:
        """The folder of what is being written of a run."""
        if not is_uid(uid):
            raise ValueError(f"{uid[:80]!r} is no uid")
        return self.root / HIDDEN / uid

    def _complete_attempts(self, uid: Uid) -> Iterator[Path]:
        if not is_uid(uid):
            return
        for name in sorted(_names_in(self.attempts(uid))):
            if _uid_in(self.attempts(uid) / name) == uid:
                yield self.attempts(uid) / name
                return

    def _listed(self) -> list[str]:
        return sorted(_names_in(self.root / RUNS))

    def _remember(self, name: str) -> None:
        assert self._names is not None
        plain = _PLAIN_NAME.fullmatch(name)
        uid = plain[1] if plain else _uid_in(self.root / RUNS / name)
        if uid is not None and name not in (known := self._names.setdefault(uid[:8], [])):
            known.append(name)


def _names_in(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _uid_in(folder: Path) -> Uid | None:
    """The uid that a folder's `run.json` names; None where there is none, or a damaged one."""
    try:
        return read_run_file(folder).uid
    except (OSError, Damaged):
        return None
