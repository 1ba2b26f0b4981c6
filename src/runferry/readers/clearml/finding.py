"""Which sessions lie at or below a place."""

from __future__ import annotations

import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from runferry.dialects.clearml.names import DATA, LOG_FILE, METRICS_FILE, MODELS, OFFLINE, TASK_FILE
from runferry.dialects.clearml.own_copy import OWN
from runferry.paths import Folder, folders_below, regular
from runferry.readers.clearml.contents import Contents, FolderContents, ZipContents
from runferry.readers.zip_members import UNREADABLE_ZIP

_ZIP: Final = ".zip"
_FILES: Final = frozenset({TASK_FILE, METRICS_FILE, LOG_FILE})
WITHIN: Final = frozenset({DATA, MODELS, OWN})
"""Folders of a session in which nothing is a run of anybody."""


def is_session(name: str, names: Collection[str]) -> bool:
    """Whether a folder of this name with these entries is a session."""
    has_events = METRICS_FILE in names or LOG_FILE in names
    return TASK_FILE in names and (has_events or name.startswith(OFFLINE))


def is_session_zip(path: Path) -> bool:
    """Whether this file is the zip of a session.

    One with the client's name that cannot be opened is one too: reading it says what is wrong.
    """
    if path.suffix != _ZIP or regular(path) is None:
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return is_session(path.name, archive.namelist())
    except (OSError, *UNREADABLE_ZIP):
        return path.name.startswith(OFFLINE)


def session_around(path: Path) -> FolderContents | None:
    """The session of which this file is a part by its name."""
    if path.name not in _FILES or regular(path) is None:
        return None
    folder = path.absolute().parent
    names = {name for name in _FILES if regular(folder / name) is not None}
    return FolderContents(path.parent) if is_session(folder.name, names) else None


def sessions_below(root: Path) -> Iterator[Contents]:
    """Sessions, by folder; of a folder and its zip the folder alone."""
    if not root.is_dir():
        around = session_around(root)
        if around is not None:
            yield around
        elif is_session_zip(root):
            yield ZipContents(root)
        return
    for folder in folders_below(root, _within):
        if is_session(folder.path.name, folder.names):
            yield FolderContents(folder.path)
            continue
        for name in folder.names:
            stem = name.removesuffix(_ZIP)
            if stem == name or not name.startswith(OFFLINE) or _has_session(folder, stem):
                continue
            if is_session_zip(folder.path / name):
                yield ZipContents(folder.path / name)


def _within(folder: Folder) -> Collection[str]:
    return WITHIN if is_session(folder.path.name, folder.names) else ()


def _has_session(folder: Folder, name: str) -> bool:
    beside = folder.path / name
    return name in folder.names and regular(beside / TASK_FILE) is not None
