"""Writers that make a run in a private folder and move it into sight whole.

    .runferry/<uid>/<attempt>/   a run while it is written, and `claim`: who is writing it
    .runferry/gone-<hex>/        what is being removed

A push that was broken off leaves nothing behind that could be taken for a run.
"""

from __future__ import annotations

import secrets
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Final, Generic, Protocol, TypeVar

from runferry.chunks import Chunk
from runferry.dialects.plain_folder.layout import is_uid
from runferry.durable import sync
from runferry.errors import Refused, RunMissing
from runferry.losses import Loss
from runferry.model import Run, Uid
from runferry.ports import Progress, RemoteId
from runferry.writers.disk import disk_errors

CLAIM: Final = "claim"
"""Who is writing a run: a file beside the attempts to do so."""
GONE: Final = "gone-"
"""What the name of a folder begins with that is being removed."""
_CLEARED_UP: Final = 100
"""How often others may clear up at the very moment at which a folder is made."""


class Attempt(Protocol):
    """A run while it is written, in a folder of its own."""

    @property
    def home(self) -> Path:
        """Its folder."""
        ...

    @property
    def is_there(self) -> bool:
        """Whether nobody took this attempt away."""
        ...

    def put(self, chunk: Chunk) -> None:
        """Add one chunk."""
        ...

    def complete(self, run: Run) -> None:
        """Write what is left; all of it would then survive a loss of power."""
        ...

    def told(self) -> tuple[Loss, ...]:
        """Losses that no plan foresees; asked when it is complete."""
        ...

    def close(self) -> None:
        """Let go of all files."""
        ...


A = TypeVar("A", bound=Attempt)


class AttemptWriter(ABC, Generic[A]):
    """The part of such a writer that does not depend on what a run's folder holds.

    A run's id there is its mark. A run that is there already is written anew and takes its place.
    """

    name: ClassVar[str]

    def __init__(self, root: Path, hidden: Path) -> None:
        self._root = root
        self._hidden = hidden
        self._drafts: dict[str, A] = {}
        self._told: dict[RemoteId, tuple[Loss, ...]] = {}
        self._is_open = True

    @abstractmethod
    def _begin(self, home: Path, run: Run, uid: Uid) -> A:
        """An attempt in a new folder."""

    def _complete(self, draft: A, run: Run) -> None:
        """Write what is left of a run."""
        draft.complete(run)

    @abstractmethod
    def _publish(self, draft: A, run: Run) -> None:
        """Move a complete run to where it is seen, and what it replaces away."""

    @abstractmethod
    def _is_complete(self, uid: Uid) -> bool:
        """Whether the run with this mark is there."""

    def _tidy(self) -> None:
        """What is to be done when the writer is closed."""

    def find(self, uid: Uid) -> RemoteId | None:
        """The run that carries this mark, complete or begun."""
        return RemoteId(uid) if self._attempts(uid) or self._is_complete(uid) else None

    def create(self, run: Run, uid: Uid) -> RemoteId:
        """Begin a run in a folder of its own; other attempts are left alone."""
        if run.uid != uid and run.origin_uid is None:
            run = replace(run, origin_uid=uid)
        self._forget(uid)
        home = self._home(uid) / secrets.token_hex(6)
        with disk_errors(self._root):
            _make(home)
            self._drafts[uid] = self._begin(home, run, uid)
        return RemoteId(uid)

    def claim(self, remote: RemoteId, words: str) -> None:
        """A file beside the attempts; a complete run needs none."""
        if self._attempts(remote):
            with disk_errors(self._root):
                (self._home(remote) / CLAIM).write_text(words)

    def stored(self, remote: RemoteId) -> Progress | None:
        """Whether it is complete; raises RunMissing."""
        if self._attempts(remote):
            words = None
            with suppress(FileNotFoundError):  # nobody claims it, or somebody just cleared that up
                words = (self._home(remote) / CLAIM).read_text()
            return Progress(claim=words)
        if not (is_uid(remote) and self._is_complete(Uid(remote))):
            raise self._missing(remote)
        return Progress(is_sealed=True)

    def append(self, remote: RemoteId, number: int, chunk: Chunk) -> None:
        """Add to what this writer has begun: whatever is broken off is begun anew."""
        with self._at_work(remote) as draft:
            draft.put(chunk)

    def seal(self, remote: RemoteId, run: Run) -> None:
        """Complete the run and move it to its place; harmless when repeated."""
        if remote not in self._drafts and not self._attempts(remote):
            self.stored(remote)
            return
        with self._at_work(remote) as draft:
            self._complete(draft, run)
            self._publish(draft, run)
        self._told[remote] = draft.told()
        del self._drafts[remote]
        self._clear(remote)

    def losses(self, remote: RemoteId) -> tuple[Loss, ...]:
        """What no plan foresees; asked after `seal`."""
        return self._told.get(remote, ())

    def discard(self, remote: RemoteId) -> None:
        """Remove what was begun; a complete run stays."""
        self._forget(remote)
        if is_uid(remote):
            with disk_errors(self._root):
                self._clear(remote)

    def close(self) -> None:
        """Give up what was begun."""
        if not self._is_open:
            return
        self._is_open = False
        for remote, draft in list(self._drafts.items()):
            self._forget(remote)
            shutil.rmtree(draft.home, ignore_errors=True)
            with suppress(OSError):  # others are at it
                draft.home.parent.rmdir()
        if self._root.is_dir():
            with disk_errors(self._root):
                self._tidy()

    # --- attempts ---------------------------------------------------------------------------------

    def _home(self, remote: str) -> Path:
        if not is_uid(remote):
            raise ValueError(f"{remote[:80]!r} is no uid")
        return self._hidden / remote

    def _attempts(self, remote: str) -> list[Path]:
        """The folders in which this run is being written, or was until it was broken off."""
        if not is_uid(remote):
            return []
        try:
            found = list(self._home(remote).iterdir())
        except FileNotFoundError:
            return []
        return [path for path in found if path.name != CLAIM]

    @contextmanager
    def _at_work(self, remote: RemoteId) -> Iterator[A]:
        """The draft of this run. Raises RunMissing when somebody took it away."""
        draft = self._drafts.get(remote)
        if draft is None:
            raise self._missing(remote)
        try:
            with disk_errors(self._root):
                yield draft
        except Refused as error:
            if not draft.is_there:
                raise self._missing(remote) from error
            raise

    def _missing(self, remote: str) -> RunMissing:
        return RunMissing(
            f"no run {remote[:80]} is here, or another push has taken it over",
            where=str(self._root),
            hint="run the command again",
        )

    def _move(self, folder: Path, target: Path) -> None:
        """Move what an attempt has made to where it is seen."""
        folder.rename(target)
        sync([target.parent])
        with suppress(FileNotFoundError):  # empty by now, and perhaps cleared up by another
            sync([folder.parent, self._hidden])

    def _forget(self, remote: str) -> None:
        """Give up a draft: what its files still lack, as on a full disk, nobody misses."""
        draft = self._drafts.pop(remote, None)
        if draft is not None:
            with suppress(OSError):
                draft.close()

    def _clear(self, remote: str) -> None:
        """Take all attempts away, each out of sight in one step."""
        for path in self._attempts(remote):
            self._remove(path)
        (self._home(remote) / CLAIM).unlink(missing_ok=True)
        with suppress(OSError):  # it is not there, or others are at it
            self._home(remote).rmdir()

    def _out_of_sight(self) -> Path:
        """A new name for a folder that is being removed."""
        return self._hidden / f"{GONE}{secrets.token_hex(6)}"

    def _remove(self, folder: Path) -> None:
        gone = self._out_of_sight()
        with suppress(FileNotFoundError):
            folder.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)


def _make(home: Path) -> None:
    """A new folder; whoever clears up may take the empty ones above it away in between."""
    for _ in range(_CLEARED_UP):
        with suppress(FileNotFoundError):
            home.mkdir(parents=True)
            return
    home.mkdir(parents=True)


def clear_gone(hidden: Path) -> None:
    """Remove what was on its way out when somebody was killed, and claims to nothing."""
    with suppress(FileNotFoundError):
        for path in hidden.iterdir():
            if path.name.startswith(GONE):
                shutil.rmtree(path, ignore_errors=True)
            elif is_uid(path.name):
                _clear_claim(path)


def _clear_claim(attempts: Path) -> None:
    with suppress(OSError):  # it is gone, or in use again
        if [path.name for path in attempts.iterdir()] == [CLAIM]:
            (attempts / CLAIM).unlink()
        attempts.rmdir()
