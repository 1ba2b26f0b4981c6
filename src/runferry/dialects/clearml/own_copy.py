"""What runferry keeps in a session's folder, where ClearML does not look.

    offline-<id>/runferry/                 the run as plain files, exact
    offline-<id>/runferry/authored.json    which files of the session were made of it; comes last

It counts as long as those files are there as they were written: a session that somebody edited is
read as anybody's. On a server the same lies in an artifact (`BUNDLE`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from errno import ENOENT
from pathlib import Path
from typing import Final

from runferry.dialects.clearml.names import LOG_FILE, METRICS_FILE, TASK_FILE
from runferry.dialects.plain_folder.notes import reading_note
from runferry.model import Uid
from runferry.paths import regular

OWN: Final = "runferry"
AUTHORED: Final = "authored.json"
BUNDLE: Final = "runferry"
"""The key of the artifact that holds our copy on a server, as a zip."""

Span = tuple[int, int]
"""The fewest and the most events: of those of one iteration, title and series a server keeps one,
and how many there are of them is known only where iterations rise."""

_FORMAT: Final = "runferry-clearml"
_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Authored:
    """What was made of a run for everybody."""

    uid: Uid
    task: str  # a hash of task.json
    sizes: tuple[tuple[str, int], ...]  # of the files of events, in bytes
    events: Mapping[str, Span] = field(default_factory=dict)  # how many there are, by type
    zip_bytes: int = 0  # of the zip beside the folder

    def text(self) -> str:
        """As `authored.json`."""
        said = {
            "format": _FORMAT,
            "version": _VERSION,
            "uid": self.uid,
            "task": self.task,
            "sizes": dict(self.sizes),
            "events": {kind: list(span) for kind, span in self.events.items()},
            "zip_bytes": self.zip_bytes,
        }
        return json.dumps(said, indent=2) + "\n"

    def stands(self, session: Path) -> bool:
        """Whether the files of the session are as they were written."""
        for name, size in self.sizes:
            found = regular(session / name)
            if (0 if found is None else found.st_size) != size:
                return False
        task = session / TASK_FILE
        return regular(task) is not None and digest_of(task.read_bytes()) == self.task


def authored(uid: Uid, session: Path, events: Mapping[str, Span], zip_bytes: int) -> Authored:
    """What to say of a session that has just been written."""
    names = [name for name in (METRICS_FILE, LOG_FILE) if (session / name).exists()]
    sizes = tuple((name, (session / name).stat().st_size) for name in names)
    file = session / TASK_FILE
    task = digest_of(file.read_bytes()) if file.exists() else ""
    return Authored(uid, task, sizes, events, zip_bytes)


def authored_in(own: Path) -> Authored:
    """What `authored.json` of a copy's folder says. Raises FileNotFoundError, Damaged."""
    path = own / AUTHORED
    if regular(path) is None:
        raise FileNotFoundError(ENOENT, "no such file", str(path))
    with reading_note(path):
        return parsed(path.read_bytes())


def parsed(text: bytes) -> Authored:
    """The inverse of `Authored.text`. Raises ValueError, KeyError, TypeError, AttributeError."""
    said = json.loads(text)
    if said["format"] != _FORMAT or said["version"] != _VERSION:
        raise ValueError(f"version {said['version']} of {said['format']}")
    return Authored(
        Uid(str(said["uid"])),
        str(said["task"]),
        tuple((str(name), int(size)) for name, size in said["sizes"].items()),
        {str(name): (int(few), int(most)) for name, (few, most) in said["events"].items()},
        int(said["zip_bytes"]),
    )


def digest_of(content: bytes) -> str:
    """A short hash."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()
