"""The writer: a folder a run below the logdir, and in it one event file that only grows.

A run that is sent in full again, in place of a complete one, is another file that replaces it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from runferry.chunks import Header
from runferry.dialects.tensorboard.own_files import Mark
from runferry.errors import Refused, RunMissing
from runferry.ports import Limits, Location, Progress, RemoteId
from runferry.writers.disk import disk_errors
from runferry.writers.tensorboard import replacement
from runferry.writers.tensorboard.folders import RunFolders
from runferry.writers.tensorboard.limits import LIMITS
from runferry.writers.tensorboard.target import Target

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from runferry.chunks import Chunk
    from runferry.losses import Loss
    from runferry.model import Run, Uid

_CLAIM = "runferry_claim.txt"


class TensorboardWriter:
    """Writes below a folder, for any TensorBoard to show, while it is being written too."""

    name: ClassVar[str] = "tensorboard"
    limits: ClassVar[Limits] = LIMITS

    def __init__(self, folders: RunFolders) -> None:
        self._folders = folders
        self._targets: dict[RemoteId, Target] = {}
        self._losses: dict[RemoteId, tuple[Loss, ...]] = {}

    @classmethod
    def open(cls, where: Location) -> Self:
        """Raises Refused where no folder can be."""
        with disk_errors(where.path):
            where.path.mkdir(parents=True, exist_ok=True)
        return cls(RunFolders(where.path))

    def find(self, uid: Uid) -> RemoteId | None:
        """The folder whose event file carries this mark, whatever it is called by now."""
        return self._folders.find(uid)

    def present(self) -> Mapping[Uid, RemoteId] | None:
        """The event files that end with a seal."""
        return self._folders.sealed()

    def create(self, run: Run, uid: Uid) -> RemoteId:
        """A folder named after the run, with the mark in it; both appear in one step."""
        with disk_errors(self._folders.root):
            return self._folders.make(run, uid)

    def claim(self, remote: RemoteId, words: str) -> None:
        """A file beside the event file."""
        with disk_errors(self._folders.root):
            self._claim(self._target(remote)).write_text(words)

    def stored(self, remote: RemoteId) -> Progress | None:
        """What the file says of itself; raises RunMissing."""
        target = self._target(remote)
        standing = target.standing
        try:
            words = self._claim(target).read_text()
        except FileNotFoundError:
            words = None
        is_sealed = standing.is_sealed and not target.is_draft
        return Progress(
            standing.chunks,
            is_sealed=is_sealed,
            was_sealed=target.is_draft or (standing.seal is not None and not is_sealed),
            claim=words,
        )

    def append(self, remote: RemoteId, number: int, chunk: Chunk) -> None:
        """Events behind those that stand there; number 0 begins a complete run anew."""
        target = self._target(remote)
        if number == 0 and target.is_replaceable:
            target = self._begin_anew(remote, target, chunk)
        target.append(number, chunk)

    def seal(self, remote: RemoteId, run: Run) -> None:
        """The last event says that the run is complete, until more of it is appended."""
        target = self._target(remote)
        target.seal(run)
        self._losses[remote] = tuple(target.losses())
        mark = target.standing.mark
        target.close()
        with disk_errors(self._folders.root):
            self._claim(target).unlink(missing_ok=True)
            if target.is_draft:
                replacement.publish(target.path.parent, mark, self._published(remote))
        del self._targets[remote]

    def losses(self, remote: RemoteId) -> tuple[Loss, ...]:
        """What TensorBoard will not show of what it usually shows."""
        return self._losses.pop(remote, ())

    def discard(self, remote: RemoteId) -> None:
        """All of a run that was never complete; of one that was, what came since."""
        target = self._target(remote)
        if target.is_draft:
            target.close()
            with disk_errors(self._folders.root):
                replacement.drop(target.path.parent, self._published(remote))
            target = self._target(remote)
            if target.standing.is_sealed:
                return
        if target.standing.seal is not None and not target.standing.is_sealed:
            target.roll_back()
            with disk_errors(self._folders.root):
                self._claim(target).unlink(missing_ok=True)
            return
        if target.standing.is_sealed:
            raise Refused(
                "this run is complete; it stays",
                where=str(target.path.parent),
                hint=f"rm -r '{target.path.parent}'",
            )
        with disk_errors(self._folders.root):
            self._claim(target).unlink(missing_ok=True)
            self._folders.remove(remote)
        self._targets.pop(remote, None)

    def close(self) -> None:
        """Let go of the files."""
        for target in self._targets.values():
            target.close()
        self._targets.clear()

    # --- one run ----------------------------------------------------------------------------------

    def _claim(self, target: Target) -> Path:
        return target.path.with_name(_CLAIM)

    def _target(self, remote: RemoteId) -> Target:
        """The file to write to, whoever began it."""
        known = self._targets.get(remote)
        folder = self._folders.folder(remote)
        if known is not None and known.is_draft == (replacement.draft_of(folder) is not None):
            return known
        with disk_errors(self._folders.root):
            replacement.settle(folder)
        path = replacement.draft_of(folder) or self._published(remote)
        self._targets[remote] = Target(path, self._folders.names(remote))
        return self._targets[remote]

    def _published(self, remote: RemoteId) -> Path:
        path = self._folders.published(remote)
        if path is None:
            raise RunMissing(
                "no run of ours is in this folder",
                where=str(self._folders.folder(remote)),
                hint=f"ls '{self._folders.root}'",
            )
        return path

    def _begin_anew(self, remote: RemoteId, published: Target, first: Chunk) -> Target:
        """A file beside, which is the run once it is sealed."""
        mark = published.standing.mark
        if isinstance(first, Header):
            mark = Mark(mark.uid, first.run)
        with disk_errors(self._folders.root):
            replacement.begin(published.path.parent, mark)
        published.close()
        return self._target(remote)
