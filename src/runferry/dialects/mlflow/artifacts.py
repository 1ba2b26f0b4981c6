"""What an artifact folder is, wherever it stands, and what gives way when two files meet in one.

Its makers are `local_folder`, `vendor_folder` and `served_folder`; `located` chooses among them.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO, Protocol

from runferry.errors import Refused
from runferry.model import Blob


@dataclass(frozen=True, slots=True)
class Entry:
    """One file below an artifact folder; `path` is relative, with `/`."""

    path: str
    size: int | None


class ArtifactFolder(Protocol):
    """Where a run's artifacts are. Paths are relative, with `/`, and were made by `paths`."""

    def walk(self, below: str = "") -> Iterator[Entry]:
        """All files, sorted by path; nothing when the folder does not exist."""
        ...

    def blob(self, entry: Entry) -> Blob:
        """A file's bytes, read when they are asked for."""
        ...

    def put(self, path: str, source: BinaryIO) -> str:
        """Store a file, atomically, where `place_for` says; the path under which it now stands."""
        ...

    def replace(self, path: str, source: BinaryIO) -> None:
        """Store a file, atomically, in place of the one that is there."""
        ...

    def twin(self, path: str, copy: str, source: BinaryIO) -> None:
        """Store the same bytes once more; the same blocks where the disk can."""
        self.replace(copy, source)

    def settle(self) -> None:
        """Returns when all that was stored would survive a loss of power."""
        return  # as it does where each upload lasts

    def tidy(self) -> None:
        """Take away what storing needed besides the files."""
        return

    def remove(self, path: str) -> None:
        """Remove one file; fine when it is not there."""
        ...

    def remove_all(self) -> None:
        """Remove the whole folder."""
        ...


class NoFolder(ArtifactFolder):
    """A run whose artifacts nobody can reach: nothing is listed, and nothing can be put."""

    def __init__(self, uri: str) -> None:
        self._uri = uri

    def walk(self, below: str = "") -> Iterator[Entry]:
        """Nothing."""
        return iter(())

    def blob(self, entry: Entry) -> Blob:
        """Missing bytes."""
        return Blob(entry.size)

    def put(self, path: str, source: BinaryIO) -> str:
        """Always Refused."""
        raise Refused(
            "the run's artifact folder cannot be reached from here",
            where=self._uri,
            hint="push to the tracking server that serves it: mlflow:http://HOST:PORT",
        )

    def replace(self, path: str, source: BinaryIO) -> None:
        """Always Refused."""
        self.put(path, source)

    def remove(self, path: str) -> None:
        """Nothing."""

    def remove_all(self) -> None:
        """Nothing."""


class UploadFolder(ArtifactFolder, Protocol):
    """A folder that is filled by uploads: each is atomic, and lasts once it returned."""

    _known: _Known | None = None

    def upload(self, path: str, source: BinaryIO) -> None:
        """Store a file in place of the one that is there; `source` stands at its start."""
        ...

    def put(self, path: str, source: BinaryIO) -> str:
        """One upload, or none where these very bytes stand there already."""
        if self._known is None:
            self._known = _Known(self.walk())
        known = self._known

        def is_same(taken: str) -> bool:
            return _is_same(self.blob(known.files[taken]), source)

        is_file, is_folder = known.files.__contains__, known.folders.__contains__
        place, is_there = place_for(path, is_file, is_folder, is_same)
        if not is_there:
            self.replace(place, source)
        return place

    def replace(self, path: str, source: BinaryIO) -> None:
        """One upload."""
        size = source.seek(0, io.SEEK_END)
        source.seek(0)
        self.upload(path, source)
        if self._known is not None:
            self._known.add(Entry(path, size))


class _Known:
    """What is in a folder, listed once."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.files: dict[str, Entry] = {}
        self.folders: set[str] = set()
        for entry in entries:
            self.add(entry)

    def add(self, entry: Entry) -> None:
        self.files[entry.path] = entry
        self.folders.update(str(above) for above in PurePosixPath(entry.path).parents)


def place_for(
    path: str,
    is_file: Callable[[str], bool],
    is_folder: Callable[[str], bool],
    is_same: Callable[[str], bool],
) -> tuple[str, bool]:
    """Where a file goes, and whether its bytes stand there already.

    What is there stays: who comes second gets a name near its own. Two meet where a disk ignores
    case, where a tracker without folders holds both `a` and `a/b`, and where somebody else has put
    a file.
    """
    parts = path.split("/")
    for count in range(1, len(parts)):
        while is_file("/".join(parts[:count])):
            parts[count - 1] += "~d"
    while is_folder("/".join(parts)):
        parts[-1] += "~f"
    pure, copy = PurePosixPath("/".join(parts)), 1
    taken = str(pure)
    while is_file(taken):
        if is_same(taken):
            return taken, True
        copy += 1
        taken = str(pure.with_name(f"{pure.stem}~{copy}{pure.suffix}"))
    return taken, False


def _is_same(blob: Blob, source: BinaryIO) -> bool:
    """Whether both hold the same bytes."""
    size = source.seek(0, io.SEEK_END)
    source.seek(0)
    if blob.open is None or (blob.size is not None and blob.size != size):
        return False
    with blob.open() as stored:
        while block := stored.read(1 << 20):
            if block != source.read(len(block)):
                return False
    return not source.read(1)
