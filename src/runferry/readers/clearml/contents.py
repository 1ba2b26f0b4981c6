"""What lies in an offline session: a folder, or the zip of one."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from runferry.dialects.clearml.own_copy import OWN
from runferry.errors import Damaged
from runferry.model import Blob
from runferry.paths import blob_at, files_below, inside, regular


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
                return cast("BinaryIO", archive.open(name))
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
        try:
            with zipfile.ZipFile(self.path) as archive:
                yield archive
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
            raise Damaged(
                f"this zip cannot be read ({error})",
                where=str(self.path),
                hint=f"unzip -t '{self.path}'",
                offset=None,
            ) from error
