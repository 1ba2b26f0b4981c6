"""Writers of folders that a vendor's tool takes from a disk, each a run with our mark in it."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import Generic, Protocol, Self, TypeVar

from runferry.model import Uid
from runferry.ports import Location, RemoteId
from runferry.writers.attempts import Attempt, AttemptWriter, clear_gone
from runferry.writers.disk import disk_errors


class Marked(Protocol):
    """The runs of ours right below a folder."""

    @property
    def root(self) -> Path:
        """The folder."""
        ...

    @property
    def hidden(self) -> Path:
        """Where runs are while they are written."""
        ...

    def find(self, uid: Uid) -> Path | None:
        """Where a complete run lies."""
        ...


A = TypeVar("A", bound=Attempt)
M = TypeVar("M", bound=Marked)


class OfflineFoldersWriter(AttemptWriter[A], Generic[A, M]):
    """The part of such a writer that does not depend on the vendor. A run's id is its mark."""

    def __init__(self, folders: M) -> None:
        super().__init__(folders.root, folders.hidden)
        self._folders = folders

    @classmethod
    @abstractmethod
    def _below(cls, root: Path) -> M:
        """The runs below a folder that is there."""

    @classmethod
    def open(cls, where: Location) -> Self:
        """Raises Refused where no folder can be."""
        root = where.path.absolute()
        with disk_errors(root):
            root.mkdir(parents=True, exist_ok=True)
        return cls(cls._below(root))

    def folder(self, remote: RemoteId) -> Path | None:
        """Where a complete run lies."""
        return self._folders.find(Uid(remote))

    def _is_complete(self, uid: Uid) -> bool:
        return self._folders.find(uid) is not None

    def _tidy(self) -> None:
        clear_gone(self._hidden)
        with suppress(OSError):  # there is none, or others are at work
            self._hidden.rmdir()
