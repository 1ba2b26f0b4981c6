"""What lies where in the folder of a session. Standard library only."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

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
    def status(self) -> Path:
        """What was delivered where; replaced again and again."""
        return self.root / "status.json"

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
    options: dict[str, object] = field(default_factory=dict)

    def write(self, root: Path) -> None:
        """Put it into a session's folder."""
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
