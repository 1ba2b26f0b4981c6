"""Writers that stop working at a chosen moment: a crash, as far as the core can tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from runferry import chunks
from runferry.model import Run, Uid
from runferry.ports import Limits, Progress, RemoteId, Writer


class Broken(Exception):  # noqa: N818  it is raised at us, not by us
    """The process would have ended here."""


class Breaking:
    """Hands everything on to a writer, and breaks at its n-th effect: before it, or after.

    Effects are create, append, seal and discard. One `Breaking` can stand for several writers of
    one push: it counts them all.
    """

    def __init__(self, writer: Writer, *, at: int | None = None, after: bool = False) -> None:
        self.writer = writer
        self.name: str = writer.name
        self.limits: Limits = writer.limits
        self.effects = 0
        self._at, self._after = at, after

    def as_writer(self) -> Writer:
        """This, as what it stands for: it was opened already."""
        return cast("Writer", self)

    def find(self, uid: Uid) -> RemoteId | None:
        """Never breaks."""
        return self.writer.find(uid)

    def present(self) -> Mapping[Uid, RemoteId] | None:
        """Never breaks."""
        return self.writer.present()

    def claim(self, remote: RemoteId, words: str) -> None:
        """Never breaks."""
        self.writer.claim(remote, words)

    def stored(self, remote: RemoteId) -> Progress | None:
        """Never breaks."""
        return self.writer.stored(remote)

    def create(self, run: Run, uid: Uid) -> RemoteId:
        """An effect."""
        self._before()
        remote = self.writer.create(run, uid)
        self._done()
        return remote

    def append(self, remote: RemoteId, number: int, chunk: chunks.Chunk) -> None:
        """An effect."""
        self._before()
        self.writer.append(remote, number, chunk)
        self._done()

    def seal(self, remote: RemoteId, run: Run) -> None:
        """An effect."""
        self._before()
        self.writer.seal(remote, run)
        self._done()

    def discard(self, remote: RemoteId) -> None:
        """An effect."""
        self._before()
        self.writer.discard(remote)
        self._done()

    def close(self) -> None:
        """Never breaks."""
        self.writer.close()

    def _before(self) -> None:
        self.effects += 1
        if self.effects == self._at and not self._after:
            raise Broken

    def _done(self) -> None:
        if self.effects == self._at and self._after:
            raise Broken
