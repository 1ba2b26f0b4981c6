"""Finds W&B run folders and `.wandb` files in a tree; opens nothing but folders."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runferry.paths import spelled

RUN_FOLDER = re.compile(r"(?:offline-|dry)?run-(\d{8}_\d{6})-(.+)")
HISTORY = "wandb-history.jsonl"
_log = logging.getLogger(__name__)
_DATABASE = ".wandb"
_LOOSE = ("config.yaml", "wandb-summary.json", "wandb-metadata.json", HISTORY)
_OF_THE_RUN = {"files", "logs", "tmp"}  # below a run folder nothing else is a run
_RECOGNISE_AT_MOST = 20_000  # folder entries that are looked at before giving up


@dataclass(frozen=True, slots=True)
class Place:
    """Where one run lies: its folder, the folder of its files, and its records, if any."""

    folder: Path
    files: Path | None  # what paths in records are relative to
    database: Path | None = None  # run-<id>.wandb
    history: Path | None = None  # wandb-history.jsonl of clients before 0.10

    @property
    def run_id(self) -> str:
        """The id that names tell, for runs whose records do not."""
        if self.database is not None:
            return spelled(self.database.name.removesuffix(_DATABASE).removeprefix("run-"))
        named = RUN_FOLDER.fullmatch(self.folder.name)
        return spelled(named[2] if named else self.folder.name)

    @property
    def label(self) -> str:
        """A short name for messages: the last two parts of the path."""
        path = self.database or self.history or self.folder
        return spelled("/".join(path.parts[-2:]))


def places(root: Path) -> Iterator[Place]:
    """Every run below `root` (a `.wandb` file, a run folder, a tree), in a stable order."""
    if not root.is_dir():
        yield _lone_file(root)
        return
    for folder, entries in _walk(root):
        yield from _places_in(folder, entries)


def holds_runs(path: Path) -> bool:
    """Whether a run lies here, judged by names alone and within a bounded number of them."""
    if not path.is_dir():
        return path.name.endswith(_DATABASE) or path.name == HISTORY
    seen = 0
    for folder, entries in _walk(path):
        if next(_places_in(folder, entries), None) is not None:
            return True
        seen += len(entries)
        if seen > _RECOGNISE_AT_MOST:
            return False
    return False


def _lone_file(path: Path) -> Place:
    folder = path.parent
    if path.name == HISTORY:
        is_below = folder.name == "files"
        return Place(folder.parent if is_below else folder, folder, history=path)
    siblings = [name for name in _names(folder) if name.endswith(_DATABASE)]
    below = folder / "files"
    has_files = len(siblings) == 1 and below.is_dir()
    return Place(folder, below if has_files else None, database=path)


def _places_in(folder: Path, entries: list[os.DirEntry[str]]) -> Iterator[Place]:
    names = {entry.name for entry in entries}
    databases = sorted(name for name in names if name.endswith(_DATABASE) and name != _DATABASE)
    databases = [name for name in databases if (folder / name).is_file()]
    below = folder / "files" if "files" in names and (folder / "files").is_dir() else None
    if databases:
        files = below if len(databases) == 1 else None
        for name in databases:
            database = folder / name
            history = files / HISTORY if files is not None else None
            if history is not None and _is_empty(database) and history.is_file():
                yield Place(folder, files, database, history)
            else:
                yield Place(folder, files, database)
        return
    for home in (folder, below):
        if home is not None and (home / HISTORY).is_file():
            yield Place(folder, home, history=home / HISTORY)
            return
    if RUN_FOLDER.fullmatch(folder.name):
        if below is not None and next(iter(_names(below)), None) is not None:
            yield Place(folder, below)
        elif names.intersection(_LOOSE):
            yield Place(folder, folder)
        elif not os.access(folder, os.R_OK | os.X_OK):
            yield Place(folder, None)  # reading it says what is wrong


def _walk(root: Path) -> Iterator[tuple[Path, list[os.DirEntry[str]]]]:
    """Folders with their sorted entries, parents first, breadth first.

    A linked folder is followed when it leads out of the tree to a place that is not around it, and
    only once. So loops end, the `latest-run` link is no second run, and a link to a folder above
    does not bring in its other runs.
    """
    home = root.resolve()
    followed: set[Path] = set()
    pending = [root]
    while pending:
        deeper: list[Path] = []
        for folder in pending:
            entries = _entries(folder)
            yield folder, entries
            skipped = _OF_THE_RUN if _is_run(folder, entries) else set()
            for entry in entries:
                if entry.name in skipped or entry.name == ".git" or not _is_folder(entry):
                    continue
                path = Path(entry.path)
                if entry.is_symlink():
                    target = path.resolve()
                    if any(target.is_relative_to(known) for known in (home, *followed)):
                        continue
                    if any(known.is_relative_to(target) for known in (home, *followed)):
                        _log.warning("%s is not followed: it leads to a folder around it", path)
                        continue
                    followed.add(target)
                deeper.append(path)
        pending = deeper


def _is_run(folder: Path, entries: list[os.DirEntry[str]]) -> bool:
    if RUN_FOLDER.fullmatch(folder.name):
        return True
    return any(entry.name.endswith(_DATABASE) or entry.name == HISTORY for entry in entries)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except (PermissionError, FileNotFoundError, NotADirectoryError) as error:
        # closed to us, or removed while we walk: what lies elsewhere is still read
        _log.warning("%s was not looked into: %s", folder, error.strerror)
        return []


def _names(folder: Path) -> list[str]:
    return [entry.name for entry in _entries(folder)]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is_empty(path: Path) -> bool:
    try:
        return path.stat().st_size == 0
    except OSError:
        return False
