"""The zip beside a session, as ClearML's client makes it when a task is closed."""

from __future__ import annotations

import time
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from runferry.dialects.clearml.own_copy import OWN
from runferry.paths import files_below

_TEXTS: Final = (".json", ".jsonl", ".txt", ".csv", ".html", ".md", ".yaml", ".log")
LEVEL: Final = 1  # of packing: it takes more time than all else


class Member:
    """The first file of a new zip: somebody else packs it while it is written."""

    def __init__(self, target: Path, name: str) -> None:
        self._target = target
        self._info = zipfile.ZipInfo(name, time.localtime()[:6])
        self._info.compress_type = zipfile.ZIP_DEFLATED
        self._info.external_attr = 0o644 << 16
        self._info.CRC = self._info.header_offset = 0
        self._head_bytes = len(self._info.FileHeader(zip64=True))

    @property
    def place(self) -> tuple[Path, int]:
        """The file, and where in it the packed bytes begin."""
        return self._target, self._head_bytes

    def finish(self, crc: int, size_bytes: int, packed_bytes: int) -> None:
        """Say what was packed."""
        self._info.CRC = crc
        self._info.file_size, self._info.compress_size = size_bytes, packed_bytes
        with self._target.open("r+b") as file:
            file.write(self._info.FileHeader(zip64=True))

    def listed_in(self, archive: zipfile.ZipFile) -> None:
        """List it in a zip that goes on behind it."""
        archive.filelist.append(self._info)
        archive.NameToInfo[self._info.filename] = self._info


class SessionZip:
    """The session without our own copy of it, which the importer has no use for."""

    def __init__(self, session: Path, target: Path, first: str) -> None:
        """`first` is the name of what is packed while it is written."""
        self._session = session
        self._target = target
        self.first = Member(target, first)
        self._first_name = first

    def add_others(self) -> int:
        """All but the first; the size of the whole."""
        names = (name for name, entry in files_below(self._session) if entry is not None)
        others = (name for name in names if not name.startswith(f"{OWN}/"))
        # a file that is no zip yet is what stands before its members: here, the first of them
        with zipfile.ZipFile(self._target, "a", allowZip64=True) as archive:
            self.first.listed_in(archive)
            _add(archive, self._session, (name for name in others if name != self._first_name))
        return self._target.stat().st_size


def write_bundle(session: Path, target: Path) -> int:
    """Our own copy alone; its size."""
    home = session / OWN
    return zipped(home, (name for name, entry in files_below(home) if entry is not None), target)


def zipped(home: Path, names: Iterable[str], target: Path) -> int:
    """Files of a folder as a zip; what is packed already stays as it is."""
    with zipfile.ZipFile(target, "w", allowZip64=True) as archive:
        _add(archive, home, names)
    return target.stat().st_size


def _add(archive: zipfile.ZipFile, home: Path, names: Iterable[str]) -> None:
    for name in names:
        is_text = name.endswith(_TEXTS)
        form = zipfile.ZIP_DEFLATED if is_text else zipfile.ZIP_STORED
        path = home.joinpath(*name.split("/"))
        archive.write(path, name, compress_type=form, compresslevel=LEVEL if is_text else None)
