"""Files that a queue names: their bytes lie in the queue, beside it, or anywhere on the machine.

A log is data of whoever wrote it. So a path in it is followed only below the folder in which
`.neptune` lies, unless the user says otherwise: else anybody's log could name anybody's keys.
"""

from __future__ import annotations

import base64
import glob
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from runferry import chunks
from runferry.dialects.neptune.names import text_of
from runferry.losses import Fate, Loss, LossLedger
from runferry.model import Blob, KeyPath, Tree
from runferry.paths import blob_at, files_below, inside, regular, spelled
from runferry.readers.neptune.media import file_name, file_role_of, media_type_of
from runferry.readers.neptune.queue.containers import UPLOADS, Execution
from runferry.readers.neptune.queue.logs import operation_at
from runferry.readers.neptune.queue.values import Held

_AT_MOST = 1_000_000  # files of a set
_NOW = "bytes as they are now: the log keeps only where the file lay"


@dataclass(frozen=True, slots=True)
class Uploads:
    """What the attributes of a container that are files come to."""

    executions: dict[str, Execution]
    """By label, as logs call them."""
    home: Path | None
    """The folder below which paths are followed; None: everywhere."""
    losses: LossLedger

    def files(self, path: KeyPath, held: Held) -> Iterator[chunks.File]:
        """The file, or the files of a set, that an attribute holds."""
        if held.kind == "file" and isinstance(held.value, dict):
            ending = held.value.get("ext")
            name = file_name(path, ending if isinstance(ending, str) else "")
            yield chunks.File(name, file_role_of(path, name), self._blob(name, held.value))
        elif held.kind == "file set" and isinstance(held.value, list):
            for name, found in self._members(path, held.value).items():
                full = f"{text_of(path)}/{name}"
                role = file_role_of(path, name)
                yield chunks.File(full, role, blob_at(found, media_type_of(name)))

    def _blob(self, name: str, told: dict[str, Tree]) -> Blob:
        media_type = media_type_of(name)
        if isinstance(log := told.get("log"), str):
            offset, size = told.get("offset"), told.get("size")
            assert isinstance(offset, int)
            label, _, file = log.rpartition("/")
            execution = self.executions.get(label)
            if execution is None or regular(execution.folder / file) is None:
                return Blob(media_type=media_type)
            opener = partial(_decoded_at, execution.folder / file, offset)
            return Blob(size if isinstance(size, int) else None, media_type, None, opener)
        if isinstance(saved := told.get("tmp_file_name"), str):
            for execution in self.executions.values():
                if found := inside(execution.folder / UPLOADS, saved):
                    return blob_at(found, media_type)
        if isinstance(stated := told.get("file_path"), str):
            found = self._followed(stated, name)
            return Blob(media_type=media_type) if found is None else blob_at(found, media_type)
        return Blob(media_type=media_type)

    def _followed(self, stated: str, where: str) -> Path | None:
        """A file by an absolute path from the log; None where it is not there, or not for us."""
        path = Path(stated)
        if "\0" in stated or not path.is_file():
            return None
        if not self._is_ours(path):
            why = f"{spelled(stated)} lies outside; RUNFERRY_NEPTUNE_UPLOADS=anywhere takes it"
            self.losses.add(Loss("outside-upload", Fate.DROPPED, where, 1, why))
            return None
        self.losses.add(Loss("upload-by-path", Fate.KEPT, "", 1, _NOW))
        return path

    def _is_ours(self, path: Path) -> bool:
        return self.home is None or path.resolve().is_relative_to(self.home.resolve())

    # --- sets of files

    def _members(self, path: KeyPath, steps: list[Tree]) -> dict[str, Path]:
        """The files of a set by name, after what was added and deleted in turn."""
        found: dict[str, Path] = {}
        for step in steps:
            match step:
                case ["add", *patterns]:
                    texts = [one for one in patterns if isinstance(one, str)]
                    found.update(self._matched(path, texts))
                case ["delete", *names]:
                    for name in list(found):
                        if any(_is_in(name, one) for one in names if isinstance(one, str)):
                            del found[name]
        return found

    def _matched(self, path: KeyPath, patterns: list[str]) -> dict[str, Path]:
        """Files by names below their common folder, as `get_unique_upload_entries` calls them."""
        tops: dict[str, None] = {}
        for pattern in patterns:
            matched = _matched(pattern) if self._may_glob(pattern) else []
            kept = [one for one in matched if self._is_ours(Path(one))]
            if not kept:
                why = "nothing lies there (any more), or it lies outside the run's own folder"
                where = f"{text_of(path)}: {spelled(pattern)}"
                self.losses.add(Loss("missing-files", Fate.KEPT, where, 1, why))
            tops.update(dict.fromkeys(kept))
        if not tops:
            return {}
        self.losses.add(Loss("upload-by-path", Fate.KEPT, "", len(tops), _NOW))
        root = _common(list(tops), self.home)
        walked = _walked([Path(top) for top in tops], root)
        return {name: found for name, found in walked if self._is_ours(found)}

    def _may_glob(self, pattern: str) -> bool:
        """Whether the fixed part of a pattern lies where we may look."""
        fixed = pattern
        while glob.has_magic(fixed):
            fixed = os.path.dirname(fixed)  # noqa: PTH120  a pattern is no path
        return bool(fixed) and "\0" not in fixed and self._is_ours(Path(fixed))


def _matched(pattern: str) -> list[str]:
    """As the client matches them."""
    return sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207  patterns are absolute


def _common(tops: list[str], working: Path | None) -> Path:
    """What names are relative to; the client ran in the folder in which it made `.neptune`."""
    root = Path(os.path.commonpath(tops))
    if root.is_file():
        root = root.parent
    return working if working is not None and root.is_relative_to(working) else root


def _walked(tops: list[Path], root: Path) -> Iterator[tuple[str, Path]]:
    count = 0
    for top in tops:
        if top.is_file():
            yield _name(top, root), top
        for found, entry in files_below(top) if top.is_dir() else ():
            count += 1
            if entry is not None and entry.is_file() and count <= _AT_MOST:
                yield _name(top / found, root), top / found


def _is_in(name: str, deleted: str) -> bool:
    return name == deleted or name.startswith(f"{deleted}/")


def _name(path: Path, root: Path) -> str:
    return spelled(os.path.relpath(path, root).replace(os.sep, "/"))


def _decoded_at(log: Path, offset: int) -> BinaryIO:
    content = operation_at(log, offset).get("file_content")
    assert isinstance(content, str)
    return io.BytesIO(base64.b64decode(content))
