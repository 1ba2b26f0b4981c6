"""The files of a run folder, by role; each is given again only when it has changed."""

from __future__ import annotations

import mimetypes
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runferry import chunks
from runferry.dialects.wandb.file_roles import role_of
from runferry.losses import Fate, Loss
from runferry.model import Blob, Tree
from runferry.paths import blob_at, files_below, inside, regular, spelled
from runferry.readers.wandb.row_media import MEDIA, RowMedia

_GLOB = re.compile(r"[*?\[]")
_CLOSED: list[Tree] = [-2, 0]  # stands for a stamp, so that a loss is reported once


@dataclass
class RunFiles:
    """Which files were given; those below `media/` are `media`'s."""

    seen: dict[str, Tree] = field(default_factory=dict)  # name → [size, time]
    media: RowMedia = field(default_factory=RowMedia)
    _listed: dict[str, None] = field(default_factory=dict)

    def listed(self, message: dict[str, Any]) -> None:
        """A files record: names that should be there."""
        for item in message.get("files") or ():
            self._listed[str(item.get("path", ""))] = None

    def changed(
        self, home: Path, folder: str, prefix: str = "", *, is_waiting: bool = False
    ) -> Iterator[chunks.Chunk]:
        """Files that are new or changed; `prefix` tells apart folders of one run.

        With `is_waiting` files of rows that are not there yet are left for a later read. Raises
        SourceChanged.
        """
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
            if name.startswith(MEDIA):
                if self.media.is_awaiting and inside(home, name) is not None:
                    self.media.check(folder, name)
                if self._is_of_row(name, is_waiting=is_waiting):
                    continue
            if self.seen.get(prefix + name) == list(stamp):
                continue
            self.seen[prefix + name] = list(stamp)
            yield from _file(Path(entry.path), name, prefix)
            if entry.is_symlink() and stamp[0] >= 0:
                yield from followed(home, found, prefix)
        yield from self._missing(home, prefix, is_waiting=is_waiting)

    def _is_of_row(self, name: str, *, is_waiting: bool) -> bool:
        """Whether what is below `media/` is a row's, or may become one's; else it is given."""
        if self.media.is_claimed(name) or (is_waiting and not self.media.is_given(name)):
            return True
        self.media.give(name)
        return False

    def _missing(self, home: Path, prefix: str, *, is_waiting: bool) -> Iterator[chunks.Chunk]:
        media = self.media
        waiting, media.listed = [str(name) for name in media.listed], []
        for name in dict.fromkeys((*waiting, *self._listed)):
            if _GLOB.search(name) or prefix + name in self.seen or inside(home, name) is not None:
                continue
            if name.startswith(MEDIA) and self._is_of_row(name, is_waiting=is_waiting):
                if not media.is_claimed(name):
                    media.listed.append(name)
                continue
            self.seen[prefix + name] = [-1, 0]
            yield chunks.File(prefix + name, role_of(name), Blob())
        self._listed = {}

    def missing(self) -> Iterator[chunks.Chunk]:
        """Files that records list, for a run that has no folder."""
        for name in self._listed:
            if not _GLOB.search(name) and not name.startswith(MEDIA) and name not in self.seen:
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
