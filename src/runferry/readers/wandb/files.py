"""The files of a run folder, by role; each is given again only when it has changed."""

from __future__ import annotations

import hashlib
import mimetypes
import os
import re
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runferry import chunks
from runferry.errors import SourceChanged
from runferry.losses import Fate, Loss
from runferry.model import Blob, FileRole, Tree
from runferry.paths import blob_at, files_below, inside, regular, spelled

_CHECKPOINT = re.compile(r"\.(ckpt|pth|pt|safetensors|h5|keras|pkl|joblib|onnx)$|checkpoint", re.I)
_REQUIREMENTS = {"requirements.txt", "conda-environment.yaml", "uv.lock", "poetry.lock"}
_SOURCE = re.compile(r"(code/.*|(upstream_)?diff.*\.patch)")
_GLOB = re.compile(r"[*?\[]")
_MEDIA = "media/"
_CLOSED: list[Tree] = [-2, 0]  # stands for a stamp, so that a loss is reported once


def role_of(name: str) -> FileRole:
    """What a file of the run is, judged by its name below `files/`."""
    if name == "output.log":
        return "console"
    if name in _REQUIREMENTS:
        return "requirements"
    if _SOURCE.fullmatch(name):
        return "source"
    return "checkpoint" if _CHECKPOINT.search(name) else "other"


@dataclass
class RunFiles:
    """Which files were given, and which media rows have claimed.

    Media that rows claim are counted by hash, 8 bytes each, so a million of them cost little. Files
    are known by name, and media that no row has claimed yet by a hash in hexadecimal.
    """

    seen: dict[str, Tree] = field(default_factory=dict)  # name → [size, time]
    # folder → time; media files there that have not changed since were dealt with
    media_until: dict[str, Tree] = field(default_factory=dict)
    unclaimed: list[Tree] = field(default_factory=list)  # hashes of media that were given as files
    _claimed: array[int] = field(default_factory=lambda: array("Q"))
    _listed: dict[str, None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._given = frozenset(self.unclaimed)

    def claim(self, paths: Iterator[str]) -> None:
        """These media belong to rows, and are no files of their own.

        Raises SourceChanged when one was given as a file, because its row was not there yet.
        """
        for path in paths:
            claimed = _short_hash(path)
            if self._given and f"{claimed:016x}" in self._given:
                raise SourceChanged(
                    "the row of a file came after the file", where=path, hint="pull it anew"
                )
            self._claimed.append(claimed)

    def listed(self, message: dict[str, Any]) -> None:
        """A files record: names that should be there."""
        for item in message.get("files") or ():
            self._listed[str(item.get("path", ""))] = None

    def changed(self, home: Path, folder: str, prefix: str = "") -> Iterator[chunks.Chunk]:
        """Files that are new or changed; `prefix` tells apart folders of one run."""
        claimed = sorted(self._claimed)
        before = self.media_until.get(folder)
        until = before if isinstance(before, int) else 0
        newest, given = until, dict.fromkeys(self.unclaimed)
        for found, entry in files_below(home):
            name = spelled(found)
            if name != found:
                detail = "a name that is no UTF-8; U+FFFD stands for what is not"
                yield chunks.Lost(Loss("file-name", Fate.RENAMED, prefix + name, 1, detail))
            if entry is None or (entry.is_symlink() and _is_folder(entry)):
                if self.seen.get(prefix + name) == _CLOSED:
                    continue
                self.seen[prefix + name] = list(_CLOSED)
                detail = "a link to a folder is not followed" if entry else "cannot be opened"
                yield chunks.Lost(Loss("closed-folder", Fate.DROPPED, prefix + name, 1, detail))
                continue
            stamp = _stamp(entry)
            if name.startswith(_MEDIA):
                newest = max(newest, stamp[1])
                if stamp[1] <= until or _holds(claimed, _short_hash(name)):
                    continue
                given[f"{_short_hash(name):016x}"] = None
            elif self.seen.get(prefix + name) == list(stamp):
                continue
            else:
                self.seen[prefix + name] = list(stamp)
            yield from _file(Path(entry.path), name, prefix)
            if entry.is_symlink() and stamp[0] >= 0:
                yield from followed(home, found, prefix)
        self.media_until[folder], self.unclaimed = newest, list(given)
        yield from self._missing(home, prefix, claimed)

    def _missing(self, home: Path, prefix: str, claimed: list[int]) -> Iterator[chunks.Chunk]:
        for name in self._listed:
            is_pattern = _GLOB.search(name) is not None
            if is_pattern or prefix + name in self.seen or _holds(claimed, _short_hash(name)):
                continue
            if inside(home, name) is None:
                self.seen[prefix + name] = [-1, 0]
                yield chunks.File(prefix + name, role_of(name), Blob())
        self._listed = {}

    def missing(self) -> Iterator[chunks.Chunk]:
        """Files that records list, for a run that has no folder."""
        for name in self._listed:
            if not _GLOB.search(name) and not name.startswith(_MEDIA) and name not in self.seen:
                self.seen[name] = [-1, 0]
                yield chunks.File(name, role_of(name), Blob())
        self._listed = {}


def _file(path: Path, name: str, prefix: str) -> Iterator[chunks.Chunk]:
    role, media_type = role_of(name), mimetypes.guess_type(name)[0]
    if regular(path) is None:
        if not path.is_symlink() and path.exists():
            detail = "neither a file nor a link to one"
            yield chunks.Lost(Loss("special-file", Fate.DROPPED, prefix + name, 1, detail))
            return
        yield chunks.File(prefix + name, role, Blob(media_type=media_type))
        return
    yield chunks.File(prefix + name, role, blob_at(path, media_type))


def followed(home: Path, found: str, prefix: str = "") -> Iterator[chunks.Lost]:
    """Names a file that is a link to somewhere else: its bytes were taken, from where it leads."""
    target = (home / found).resolve()
    if not target.is_relative_to(home.resolve()):
        detail = f"a link; the bytes are those of {spelled(str(target))}"
        yield chunks.Lost(Loss("linked-file", Fate.KEPT, prefix + spelled(found), 1, detail))


def _stamp(entry: os.DirEntry[str]) -> tuple[int, int]:
    found = regular(Path(entry.path))
    return (-1, 0) if found is None else (found.st_size, found.st_mtime_ns)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _short_hash(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest())


def _holds(ordered: list[int], value: int) -> bool:
    at = bisect_left(ordered, value)
    return at < len(ordered) and ordered[at] == value
