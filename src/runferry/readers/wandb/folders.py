"""Finds W&B run folders and `.wandb` files in a tree; opens nothing but folders."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from runferry.dialects.wandb.own_files import BLOBS, HIDDEN
from runferry.paths import Folder, folders_below, looked_into, spelled

RUN_FOLDER = re.compile(r"(?:offline-|dry)?run-(\d{8}_\d{6})-(.+)")
HISTORY = "wandb-history.jsonl"
_DATABASE = ".wandb"
_LOOSE = ("config.yaml", "wandb-summary.json", "wandb-metadata.json", HISTORY)
_OF_SWANLAB = (".swanlab", "swanlab-metadata.json")
"""What names end with in the run folders of SwanLab, which are called as W&B's are."""
_OF_THE_RUN = ("files", "logs", "tmp")  # below a run folder nothing else is a run


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
    for folder in _walk(root):
        yield from _places_in(folder)


def holds_runs(path: Path) -> bool:
    """Whether a run lies here, judged by names alone."""
    if not path.is_dir():
        return path.name.endswith(_DATABASE) or path.name == HISTORY
    return any(next(_places_in(found), None) is not None for found in _walk(path))


def _lone_file(path: Path) -> Place:
    folder = path.parent
    if path.name == HISTORY:
        is_below = folder.name == "files"
        return Place(folder.parent if is_below else folder, folder, history=path)
    siblings = [name for name in looked_into(folder).names if name.endswith(_DATABASE)]
    below = folder / "files"
    has_files = len(siblings) == 1 and below.is_dir()
    return Place(folder, below if has_files else None, database=path)


def _places_in(found: Folder) -> Iterator[Place]:
    folder, names = found.path, found.names
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
        in_files = looked_into(below).names if below is not None else ()
        if any(name.endswith(_OF_SWANLAB) for name in (*names, *in_files)):
            return
        if in_files:
            yield Place(folder, below)
        elif any(name in names for name in _LOOSE):
            yield Place(folder, folder)
        elif not os.access(folder, os.R_OK | os.X_OK):
            yield Place(folder, None)  # reading it says what is wrong


def _walk(root: Path) -> Iterator[Folder]:
    return folders_below(root, folders_of_run)


def folders_of_run(folder: Folder) -> Collection[str]:
    """Folders of a run in which there is no other, and the one in which we have not ended any."""
    closed = (*_OF_THE_RUN, BLOBS) if _is_run(folder) else (HIDDEN,)
    return [name for name in closed if name in folder.names]


def _is_run(folder: Folder) -> bool:
    if RUN_FOLDER.fullmatch(folder.path.name):
        return True
    return any(name.endswith(_DATABASE) or name == HISTORY for name in folder.names)


def _is_empty(path: Path) -> bool:
    try:
        return path.stat().st_size == 0
    except OSError:
        return False
