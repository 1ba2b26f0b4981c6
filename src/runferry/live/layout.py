"""What lies where in the folder of a session. Standard library only."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from runferry.live.frames import SUFFIX

if sys.platform != "win32":
    import fcntl

HOME = Path(".runferry", "live")
"""Where sessions are made, below the working directory."""
FOLDER_VARIABLE = "RUNFERRY_LIVE_JOURNAL"
"""The session that a process's children join."""
TO_VARIABLE = "RUNFERRY_LIVE_TO"
"""Destinations for the delivery process: JSON. They may hold credentials, so no disk has them."""
_STATED = "session.json"


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths of one session."""

    root: Path

    @property
    def journals(self) -> Path:
        """One file a process."""
        return self.root / "journal"

    @property
    def files(self) -> Path:
        """Copies of files that were logged."""
        return self.root / "files"

    @property
    def replicas(self) -> Path:
        """What the SDKs would have written."""
        return self.root / "replicas"

    @property
    def archive(self) -> Path:
        """What destinations are sent from."""
        return self.root / "archive"

    @property
    def rounds(self) -> Path:
        """How far the journals were taken, round by round."""
        return self.root / "rounds.jsonl"

    @property
    def made_by(self) -> Path:
        """Which version of runferry made the replicas."""
        return self.root / "made-by"

    @property
    def status(self) -> Path:
        """What was delivered where; replaced again and again."""
        return self.root / "status.json"

    @property
    def delivery_lock(self) -> Path:
        """Held by the process that delivers."""
        return self.root / "locks" / "delivery.lock"

    @property
    def rest_lock(self) -> Path:
        """Held by the process that will deliver again, while it cannot."""
        return self.root / "locks" / "rest.lock"

    @property
    def log(self) -> Path:
        """What the delivery process says."""
        return self.root / "delivery.log"


@dataclass(frozen=True, slots=True)
class Stated:
    """What a session was begun with; places without their credentials."""

    destinations: tuple[str, ...] = ()
    project: str | None = None
    name: str | None = None
    options: dict[str, object] = field(default_factory=dict)  # settings of its deliveries

    def is_like(self, other: Stated) -> bool:
        """Whether one delivery does for both: the same places, in the same way."""
        return self.destinations == other.destinations and self._asked() == other._asked()

    def _asked(self) -> dict[str, object]:
        """Without what a delivery has noted."""
        return {name: value for name, value in self.options.items() if name != "live_upload"}

    def write(self, root: Path) -> None:
        """Put it into a session's folder. Raises OSError."""
        root.mkdir(parents=True, exist_ok=True)
        scratch = root / f".{_STATED}.{os.getpid()}"
        told = {
            "destinations": self.destinations,
            "project": self.project,
            "name": self.name,
            "options": self.options,
        }
        scratch.write_text(json.dumps(told))
        scratch.replace(root / _STATED)

    @classmethod
    def read(cls, root: Path) -> Stated:
        """Raises OSError, ValueError."""
        told = json.loads((root / _STATED).read_text())
        return cls(
            tuple(told["destinations"]), told["project"], told["name"], dict(told["options"])
        )


def is_session(root: Path) -> bool:
    """Whether a folder is one."""
    return (root / _STATED).is_file()


def new_folder(home: Path = HOME) -> Path:
    """A folder for a session that begins now."""
    now = time.time_ns()
    named = time.strftime("%Y%m%d_%H%M%S", time.gmtime(now // 10**9))
    return (home / f"{named}-{now % 10**9:09d}-{os.getpid()}").absolute()


def sessions(home: Path = HOME) -> list[Path]:
    """Those below a folder, the newest last."""
    return sorted(path for path in home.glob("*") if is_session(path)) if home.is_dir() else []


def journals(layout: Layout) -> list[Path]:
    """Those of a session, in the order in which they were begun."""
    return sorted(layout.journals.glob(f"*{SUFFIX}"))


def is_live(layout: Layout) -> bool:
    """Whether a process still has a journal of a session open."""
    return any(map(is_held, journals(layout)))


def is_held(journal: Path) -> bool:
    """Whether the process of a journal still has it open; where there are no such locks, no."""
    if sys.platform == "win32":
        return False
    with journal.open("rb") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)  # EX would want to write
        except OSError:
            return True
    return False


def is_delivered(layout: Layout) -> bool:
    """Whether a process delivers the session, or will; where there are no such locks, it is
    believed.
    """
    if sys.platform == "win32":
        return True
    for lock in (layout.delivery_lock, layout.rest_lock):
        with contextlib.suppress(FileNotFoundError):
            if is_held(lock):
                return True
    return False


def live_session(stated: Stated, home: Path = HOME) -> Path | None:
    """A session that goes on below a folder, and delivers to the same places in the same way."""
    for root in sessions(home):
        with contextlib.suppress(OSError, ValueError):  # half made, or just removed
            if Stated.read(root).is_like(stated) and is_live(Layout(root)):
                return root.absolute()
    return None


@contextlib.contextmanager
def beginning(home: Path = HOME, seconds: float = 2.0) -> Iterator[None]:
    """One process at a time begins a session below a folder, so that the ranks of one training have
    the same. It is not waited for longer than this: then each has its own.
    """
    if sys.platform == "win32":
        yield
        return
    deadline = time.monotonic() + seconds
    try:
        home.mkdir(parents=True, exist_ok=True)
        stream = (home / ".beginning").open("wb")
    except OSError:  # nothing can be made there: the journal will say so
        yield
        return
    with stream:
        while time.monotonic() < deadline:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                time.sleep(0.01)
        yield
