"""Files of an export: single ones, file sets, the list of an artifact's files.

They lie below `FILES/<sanitised project>/`, where FILES is `files` beside `data` unless its owner
moved it. What a file set holds was exported as one archive (`zip`) in a folder.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from io import BufferedReader
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from runferry import chunks
from runferry.dialects.json_trees import parse_json
from runferry.dialects.neptune.names import path_of, text_of
from runferry.losses import Fate, Loss
from runferry.model import ArtifactEntry, Blob, KeyPath, Tree
from runferry.paths import blob_at, files_below, inside, spelled
from runferry.readers.neptune.artifacts import entry_of
from runferry.readers.neptune.media import file_name, file_role_of, media_type_of
from runferry.readers.zip_members import UNREADABLE_ZIP, ZipMember

_SIBLINGS: Final = ("files", "model_files")
_ENCRYPTED: Final = 1
_LIST_AT_MOST: Final = 256 << 20


@dataclass(frozen=True, slots=True)
class ExportFiles:
    """The files of one project; `home` is None where they cannot be found."""

    home: Path | None

    @classmethod
    def beside(cls, project: Path) -> ExportFiles:
        """Those that belong to this folder of parts."""
        data = project.parent
        for name in (data.name.replace("data", "files"), *_SIBLINGS):
            place = data.parent / name / project.name
            if place.is_dir() and place != project:
                return cls(place)
        return cls(None)

    def blob(self, path: str | None) -> Blob:
        """The bytes of a file; missing ones where it is not there."""
        media_type = media_type_of(path or "")
        found = inside(self.home, path) if self.home is not None and path else None
        return Blob(media_type=media_type) if found is None else blob_at(found, media_type)

    def read(self, kind: str, name: str, stored: str | None) -> Iterator[chunks.Chunk]:
        """What an attribute of a type of files holds; `stored` is where, in this folder."""
        path = path_of(name)
        match kind:
            case "file":
                yield self._file(path, stored)
            case "file_set":
                yield from self._file_set(path, stored)
            case _:
                yield from self._artifact(path, stored)

    def _file(self, path: KeyPath, stored: str | None) -> chunks.File:
        name = file_name(path, PurePosixPath(stored or "").suffix)
        return chunks.File(name, file_role_of(path, name), self.blob(stored))

    # --- sets of files

    def _file_set(self, path: KeyPath, stored: str | None) -> Iterator[chunks.Chunk]:
        folder = self._folder(stored)
        if folder is None:
            yield chunks.File(text_of(path), file_role_of(path, ""), Blob())
            return
        for found, entry in files_below(folder):
            name = spelled(found)
            if entry is None or inside(folder, found) is None:
                why = "a folder that is closed, or a link that leads out of it"
                where = f"{text_of(path)}/{name}"
                yield chunks.Lost(Loss("unreadable-file", Fate.DROPPED, where, 1, why))
            elif found.endswith(".zip") and "/" not in found:
                yield from self._zipped(path, folder / found)
            else:
                yield _member(path, name, blob_at(folder / found, media_type_of(name)))

    def _folder(self, stored: str | None) -> Path | None:
        """A folder of ours that a path from the data means."""
        if self.home is None or not stored:
            return None
        parts = PurePosixPath(stored).parts
        if PurePosixPath(stored).is_absolute() or ".." in parts or "\0" in stored:
            return None
        found = self.home.joinpath(*parts)
        is_ours = found.is_dir() and found.resolve().is_relative_to(self.home.resolve())
        return found if is_ours else None

    def _zipped(self, path: KeyPath, archive: Path) -> Iterator[chunks.Chunk]:
        """The files in an archive; the archive itself where it is none."""
        try:
            with zipfile.ZipFile(archive) as opened:
                members = [one for one in opened.infolist() if not one.is_dir()]
                if any(one.flag_bits & _ENCRYPTED for one in members):
                    raise zipfile.BadZipFile("its members are encrypted")
        except (OSError, *UNREADABLE_ZIP) as error:
            why = f"no whole archive: {error}; kept as it is"
            where = f"{text_of(path)}/{spelled(archive.name)}"
            yield chunks.Lost(Loss("damaged-archive", Fate.REENCODED, where, 1, why))
            yield _member(path, spelled(archive.name), blob_at(archive, "application/zip"))
            return
        for one in members:
            opener = partial(_open_member, archive, one.filename)
            blob = Blob(one.file_size, media_type_of(one.filename), None, opener)
            yield _member(path, spelled(one.filename), blob)

    # --- artifacts

    def _artifact(self, path: KeyPath, stored: str | None) -> Iterator[chunks.Chunk]:
        found = inside(self.home, stored) if self.home is not None and stored else None
        entries: tuple[ArtifactEntry, ...] = ()
        listed: Tree = None
        if found is None:
            why = "the list of its files is not there"
            yield chunks.Lost(Loss("missing-list", Fate.DROPPED, text_of(path), 1, why))
        else:
            try:
                listed = parse_json(_text(found))
                entries = tuple(_entries(listed))
            except (ValueError, OSError) as error:
                why = f"the list of its files cannot be read: {error}"
                yield chunks.Lost(Loss("damaged-list", Fate.DROPPED, text_of(path), 1, why))
        facts: Tree = {"files": listed} if listed is not None else None
        name = text_of(path)
        yield chunks.Artifact(name, "artifact", "used", metadata=facts, entries=entries)


def _member(path: KeyPath, name: str, blob: Blob) -> chunks.File:
    """A file of a set carries the set's path before its own name."""
    return chunks.File(f"{text_of(path)}/{name}", file_role_of(path, name), blob)


def _open_member(archive: Path, name: str) -> BinaryIO:
    return BufferedReader(ZipMember(archive, name))


def _text(path: Path) -> str:
    if path.stat().st_size > _LIST_AT_MOST:
        raise ValueError("longer than any such list")
    return path.read_text("utf-8")


def _entries(listed: Tree) -> Iterator[ArtifactEntry]:
    """The files as `ArtifactFileData.to_dto` of the client spells them."""
    if not isinstance(listed, list):
        raise ValueError("no list")
    for one in listed:
        if not isinstance(one, dict) or not isinstance(one.get("filePath"), str):
            raise ValueError(f"no file of an artifact: {json.dumps(one)[:80]}")
        yield entry_of(one)
