"""What lies in an offline session: a folder, or the zip of one."""

from __future__ import annotations

import io
import shlex
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, Protocol, cast

from runferry.dialects.clearml.own_copy import OWN
from runferry.errors import Damaged
from runferry.model import Blob
from runferry.paths import blob_at, files_below, inside, regular
from runferry.readers.zip_members import UNREADABLE_ZIP

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class Contents(Protocol):
    """The files of a session by their names, with `/`. Small, and made to be pickled."""

    @property
    def path(self) -> Path:
        """Where it lies."""
        ...

    @property
    def is_closed(self) -> bool:
        """Whether the task was closed: only then is there a zip."""
        ...

    def opened(self, name: str) -> BinaryIO | None:
        """One of its files; None where there is none."""
        ...

    def blob(self, name: str, media_type: str | None = None) -> Blob:
        """The bytes of one of its files; missing where there is none."""
        ...

    def names(self) -> Iterator[str]:
        """All of its files, but for our own copy."""
        ...


@dataclass(frozen=True, slots=True)
class FolderContents:
    """A session's folder."""

    path: Path

    @property
    def is_closed(self) -> bool:
        """See `Contents`."""
        return regular(self.path.with_name(f"{self.path.name}.zip")) is not None

    def opened(self, name: str) -> BinaryIO | None:
        """See `Contents`."""
        found = inside(self.path, name)
        return None if found is None else found.open("rb")

    def blob(self, name: str, media_type: str | None = None) -> Blob:
        """See `Contents`."""
        found = inside(self.path, name)
        return Blob(media_type=media_type) if found is None else blob_at(found, media_type)

    def names(self) -> Iterator[str]:
        """See `Contents`."""
        for name, entry in files_below(self.path):
            if entry is not None and not name.startswith(f"{OWN}/"):
                yield name


@dataclass(frozen=True, slots=True)
class ZipContents:
    """A session's zip; nothing is unpacked."""

    path: Path

    @property
    def is_closed(self) -> bool:
        """See `Contents`."""
        return True

    def opened(self, name: str) -> BinaryIO | None:
        """See `Contents`. Raises Damaged."""
        with self._archive() as archive:
            try:
                return cast("BinaryIO", io.BufferedReader(_Member(self.path, archive.open(name))))
            except KeyError:
                return None

    def blob(self, name: str, media_type: str | None = None) -> Blob:
        """See `Contents`. Raises Damaged."""
        with self._archive() as archive:
            try:
                found = archive.getinfo(name)
            except KeyError:
                return Blob(media_type=media_type)
        return Blob(found.file_size, media_type, None, lambda: self.opened(name) or io.BytesIO())

    def names(self) -> Iterator[str]:
        """See `Contents`. Raises Damaged."""
        with self._archive() as archive:
            found = [one.filename for one in archive.infolist() if not one.is_dir()]
        yield from sorted(name for name in set(found) if not name.startswith(f"{OWN}/"))

    @contextmanager
    def _archive(self) -> Iterator[zipfile.ZipFile]:
        with _told(self.path), zipfile.ZipFile(self.path) as archive:
            yield archive


class _Member(io.RawIOBase):
    """A file of a zip. Raises Damaged where its bytes are not what was packed."""

    def __init__(self, path: Path, packed: IO[bytes]) -> None:
        self._path = path
        self._packed = packed

    def readable(self) -> bool:
        """It is read, and no more."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """See `io.RawIOBase`."""
        with _told(self._path), memoryview(buffer) as view:
            found = self._packed.read(len(view))
            view[: len(found)] = found
        return len(found)

    def seekable(self) -> bool:
        """See `io.RawIOBase`."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """See `io.RawIOBase`."""
        with _told(self._path):
            return self._packed.seek(offset, whence)

    def close(self) -> None:
        """Let go of the file."""
        self._packed.close()
        super().close()


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Raises Damaged for what is wrong with a zip."""
    try:
        yield
    except UNREADABLE_ZIP as error:
        raise Damaged(
            f"this zip cannot be read ({error})",
            where=str(path),
            hint=f"unzip -t {shlex.quote(str(path))}",
            offset=None,
        ) from error
