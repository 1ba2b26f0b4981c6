"""Finds folders with event files in a tree; opens nothing but folders."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from runferry.dialects.tensorboard.names import (
    BLOBS,
    DRAFT_FOLDER,
    PROFILE,
    PROJECTOR,
    EventFileName,
    is_event_file,
)
from runferry.dialects.tensorboard.own_files import uid_in_name
from runferry.paths import Folder, folders_below, looked_into, regular, spelled
from runferry.readers.finding import label_of


@dataclass(frozen=True, slots=True)
class EventFolder:
    """One folder: its event files in order of the time in their names, and what lies beside."""

    path: Path
    below: str  # its path below the given root, with `/`; empty for the root itself
    files: tuple[str, ...] = ()
    is_lone: bool = False  # a file was given, not its folder: what lies beside is not asked for

    @property
    def has_events(self) -> bool:
        """Whether there is an event file; else it holds files of plugins alone."""
        return bool(self.files)


def event_folders(root: Path) -> Iterator[EventFolder]:
    """Every folder below `root` that has something of TensorBoard's, parents first.

    A file that is given is taken by itself.
    """
    if not root.is_dir():
        yield EventFolder(root.parent, spelled(root.name), (root.name,), is_lone=True)
        return
    for folder in folders_below(root, _skipped):
        files = _event_files(folder)
        if files or _has_projector(folder) or _has_profiles(folder):
            below = "" if folder.path == root else label_of(root, folder.path)
            yield EventFolder(folder.path, below, files)


def holds_events(path: Path) -> bool:
    """Whether an event file lies here, judged by names and sizes alone."""
    if not path.is_dir():
        return is_event_file(path.name)
    return next(event_folders(path), None) is not None


def _skipped(folder: Folder) -> Collection[str]:
    """Folders in which nothing of TensorBoard's is looked for: our blobs and drafts, files of W&B.

    An event file there is a copy that W&B's client keeps, and is carried as a file of its run.
    """
    is_of_wandb = any(name.endswith(".wandb") for name in folder.names)
    drafts = (name for name in folder.names if name.startswith(DRAFT_FOLDER))
    return {BLOBS, *drafts, "files"} if is_of_wandb else {BLOBS, *drafts}


def _event_files(folder: Folder) -> tuple[str, ...]:
    """The names of event files that are regular files, of which at least one has a byte.

    Files that nothing was written to yet make no run: their first record will tell which it is.
    """
    found = [name for name in folder.names if is_event_file(name)]
    sizes = {name: regular(folder.path / name) for name in found}
    kept = [name for name, status in sizes.items() if status is not None]
    if not any(status.st_size for status in sizes.values() if status is not None):
        return ()
    return tuple(_not_replaced(sorted(kept, key=EventFileName.of)))


def _not_replaced(names: list[str]) -> Iterator[str]:
    """Without files of ours that a later one of the same run has replaced, and that are to go."""
    last = {uid: name for name in names if (uid := uid_in_name(name)) is not None}
    for name in names:
        uid = uid_in_name(name)
        if uid is None or last[uid] == name:
            yield name


def _has_projector(folder: Folder) -> bool:
    return PROJECTOR in folder.names and regular(folder.path / PROJECTOR) is not None


def _has_profiles(folder: Folder) -> bool:
    plugins, profile = PROFILE
    return plugins in folder.names and profile in looked_into(folder.path / plugins).names
