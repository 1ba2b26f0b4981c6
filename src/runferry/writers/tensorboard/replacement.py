"""A complete run that is sent anew: written where TensorBoard does not look, then shown at once.

    runferry_replacement.part     the new event file; no name with `tfevents` in it
    events.out.tfevents.<later>…  the same file once it is sealed, beside the old one
                                  bytes that only the old one names go, the old one is emptied

A folder in which both have content was left in between: the later name is the run, for our reader
too, and whoever writes there next ends it.

A TensorBoard that has read the old file goes on with the next name in the alphabet; but not if the
old one is gone, since without TensorFlow it opens a file by name for each read and stops at one
that it misses (tensorboard 2.20, `DirectoryWatcher`). So an empty file stays, until the next
replacement. A start of a session at the lowest step makes TensorBoard forget what it has read (the
second one: the first of a run is no restart to it); its data server forgets by itself, tag by tag,
where steps come again.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from runferry.dialects.tensorboard.names import EventFileName
from runferry.dialects.tensorboard.own_files import (
    Mark,
    file_name,
    is_own_name,
    mark_of,
    uid_in_name,
)
from runferry.dialects.tensorboard.wire import session_start
from runferry.durable import sync
from runferry.writers.tensorboard.beginnings import begin_file
from runferry.writers.tensorboard.blob_files import keep_only

DRAFT: Final = "runferry_replacement.part"
_UNNAMED: Final = "runferry_replacement.new"
"""Until it has a mark."""


def draft_of(folder: Path) -> Path | None:
    """Where the run is being sent anew; None if it is not."""
    path = folder / DRAFT
    return path if path.is_file() else None


def begin(folder: Path, mark: Mark) -> Path:
    """A new event file for the run, which appears with its mark."""
    path = folder / _UNNAMED
    path.unlink(missing_ok=True)
    begin_file(path, mark, first=(session_start(), session_start()))
    return path.replace(folder / DRAFT)


def publish(folder: Path, mark: Mark, published: Path) -> None:
    """Put the sealed, synced file in the place of the published one."""
    after = EventFileName.of(published.name).seconds
    (folder / DRAFT).rename(folder / file_name(mark.run, mark.uid, after=after))
    sync([folder])
    settle(folder)


def settle(folder: Path) -> None:
    """Empty what a later event file of the same run has replaced, and remove what was so before."""
    *earlier, current = own_files(folder) or [folder]
    mark = mark_of(current) if earlier else None
    replaced = [path for path in earlier if mark and uid_in_name(path.name) == mark.uid]
    for path in replaced:
        old = mark_of(path)
        if old is not None and old.uid == uid_in_name(path.name):
            keep_only(folder, current)  # first: as long as the old file is whole, this is to do
            os.truncate(path, 0)
    for path in replaced[:-1]:
        if path.stat().st_size == 0:
            path.unlink()
    if replaced:
        sync([*replaced[-1:], folder])


def drop(folder: Path, published: Path) -> None:
    """Give up what was begun; the published file stays as it is."""
    (folder / DRAFT).unlink(missing_ok=True)
    keep_only(folder, published)


def clear(folder: Path) -> None:
    """Away with all of it, as the run goes."""
    for name in (DRAFT, _UNNAMED):
        (folder / name).unlink(missing_ok=True)


def own_files(folder: Path) -> list[Path]:
    """The event files that are called like ours, the latest last."""
    try:
        found = [path for path in folder.iterdir() if is_own_name(path.name)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(found, key=lambda path: EventFileName.of(path.name))
