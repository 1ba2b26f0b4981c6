"""The writer: a folder a run below the logdir, and in it one event file that only grows."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from runferry.errors import Refused, RunMissing
from runferry.ports import Limits, Location, Progress, RemoteId
from runferry.writers.disk import disk_errors
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
        return Progress(
            standing.chunks,
            is_sealed=standing.is_sealed,
            was_sealed=standing.seal is not None and not standing.is_sealed,
            claim=words,
        )

    def append(self, remote: RemoteId, number: int, chunk: Chunk) -> None:
        """Events behind those that stand there; no number comes twice."""
        self._target(remote).append(number, chunk)

    def seal(self, remote: RemoteId, run: Run) -> None:
        """The last event says that the run is complete, until more of it is appended."""
        target = self._target(remote)
        target.seal(run)
        self._losses[remote] = tuple(target.losses())
        with disk_errors(self._folders.root):
            self._claim(target).unlink(missing_ok=True)
        del self._targets[remote]

    def losses(self, remote: RemoteId) -> tuple[Loss, ...]:
        """What TensorBoard will not show of what it usually shows."""
        return self._losses.pop(remote, ())

    def discard(self, remote: RemoteId) -> None:
        """All of a run that was never complete; of one that was, what came since."""
        target = self._target(remote)
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
        self._targets.clear()

    def _claim(self, target: Target) -> Path:
        return target.path.with_name(_CLAIM)

    def _target(self, remote: RemoteId) -> Target:
        if remote not in self._targets:
            path = self._folders.event_file(remote)
            if path is None:
                raise RunMissing(
                    "no run of ours is in this folder",
                    where=str(self._folders.folder(remote)),
                    hint=f"ls '{self._folders.root}'",
                )
            self._targets[remote] = Target(path, self._folders.names(remote))
        return self._targets[remote]
