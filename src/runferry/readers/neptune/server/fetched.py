"""Bytes on a server: fetched into a file without a name when they are opened, and not before."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from runferry.dialects.neptune.client import in_our_words
from runferry.errors import Damaged
from runferry.readers.zip_members import UNREADABLE_ZIP, ZipMember


class Download(Protocol):
    """Brings the bytes to a file that is there already."""

    def __call__(self, destination: str) -> None:
        """Write them to this path."""


def opened(download: Download, where: str) -> BinaryIO:
    """The bytes, in a file that is gone when it is closed."""
    file = tempfile.NamedTemporaryFile(prefix="runferry-")  # noqa: SIM115  the caller closes it
    try:
        with in_our_words(where):
            download(file.name)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return cast("BinaryIO", file)


def opened_in_folder(download: Download, where: str) -> BinaryIO:
    """The same for a download that names its file itself, in a folder that it is given."""
    with tempfile.TemporaryDirectory(prefix="runferry-") as folder, in_our_words(where):
        download(folder)
        (found,) = Path(folder).iterdir()
        return found.open("rb")  # it stays readable when its name is gone


class _Member(ZipMember):
    """Of an archive that is nobody's file: what is wrong with it is said of the server's."""

    def __init__(self, archive: BinaryIO, name: str, where: str) -> None:
        """Raises Damaged, and KeyError where there is none of this name."""
        self._where = where
        super().__init__(archive, name)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except UNREADABLE_ZIP as error:
            raise Damaged(
                f"{self._name}, of a file set, is damaged ({error})",
                where=self._where,
                hint="run the same command again: all of the set is fetched anew",
                offset=None,
            ) from error


@dataclass
class FetchedSet:
    """A set of files, fetched as one archive; gone when nothing refers to it any more."""

    download: Download
    where: str
    _file: BinaryIO | None = field(default=None, repr=False)

    def members(self) -> list[zipfile.ZipInfo]:
        """Its files. Raises UNREADABLE_ZIP."""
        with zipfile.ZipFile(self._whole()) as archive:
            return [one for one in archive.infolist() if not one.is_dir()]

    def opener(self, name: str) -> Callable[[], BinaryIO]:
        """Opens one of them; what is wrong with its bytes is a Damaged."""
        return lambda: BufferedReader(_Member(self._whole(), name, self.where))

    def _whole(self) -> BinaryIO:
        if self._file is None:
            self._file = opened(self.download, self.where)
        return self._file
