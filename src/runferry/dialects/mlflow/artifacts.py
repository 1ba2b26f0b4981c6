"""What an artifact folder is, wherever it stands; its makers are `local_folder`, `vendor_folder`
and `served_folder`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
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
        """Store a file, atomically; the path under which it now stands."""
        ...

    def replace(self, path: str, source: BinaryIO) -> None:
        """Store a file, atomically, in place of the one that is there."""
        ...

    def twin(self, path: str, copy: str, source: BinaryIO) -> None:
        """Store the same bytes once more; the same blocks where the disk can."""
        ...

    def settle(self) -> None:
        """Returns when all that was stored would survive a loss of power."""
        ...

    def remove(self, path: str) -> None:
        """Remove one file; fine when it is not there."""
        ...

    def remove_all(self) -> None:
        """Remove the whole folder."""
        ...


class NoFolder:
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

    def twin(self, path: str, copy: str, source: BinaryIO) -> None:
        """Always Refused."""
        self.put(copy, source)

    def settle(self) -> None:
        """Nothing was stored."""

    def remove(self, path: str) -> None:
        """Nothing to remove."""

    def remove_all(self) -> None:
        """Nothing to remove."""


def free_path(path: str, is_file: Callable[[str], bool], is_folder: Callable[[str], bool]) -> str:
    """The path, or one near it where a file stands for a folder of its name, or a folder for it.

    Trackers without folders may hold both `a` and `a/b`.
    """
    parts = path.split("/")
    for count in range(1, len(parts)):
        while is_file("/".join(parts[:count])):
            parts[count - 1] += "~d"
    while is_folder("/".join(parts)):
        parts[-1] += "~f"
    return "/".join(parts)
