"""A run that SwanLab's client has begun and others are mirrored into: what is known of it.

    <log dir>/<run folder>/                          its client's
    <log dir>/.runferry/adopted/<run folder>/        ours, where no client and no reader looks
        run.json    what the client said of the run when it was adopted
        open        locked as long as the process of its client lives

The client has buffers: of a process that was killed the log may not even have its first record.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Self

from runferry.dialects.swanlab.names import FINISH, STORE, is_log_name
from runferry.paths import is_local
from runferry.writer_ports import Awaited

NOTE: Final = "run.json"
OPEN: Final = "open"
ONLINE: Final = "online"
LOCAL: Final = "local"
"""Modes: the client sends its run to the cloud, or lists it for the local dashboard too."""
_UPLOADING_SECONDS: Final = 30.0
"""How long a client may go on to upload when the log has its end, while its process lives."""
_BLOCK: Final = 32_768
_TO_END: Final = "waits until SwanLab's client has ended its run"


@dataclass(frozen=True, slots=True)
class AdoptedNote:
    """What the client said of the run; empty is what it did not say."""

    run_id: str
    mode: str
    project: str = ""
    workspace: str = ""
    name: str = ""
    time_ns: int = 0  # when it was adopted

    def text(self) -> str:
        """As `run.json`."""
        return json.dumps(asdict(self), indent=2)

    @classmethod
    def of(cls, folder: Path) -> Self | None:
        """That of a run folder; None for a run that nobody has adopted, or not to its end."""
        try:
            return cls(**json.loads((adopted_home(folder) / NOTE).read_bytes()))
        except (OSError, ValueError, TypeError):
            return None


def adopted_home(folder: Path) -> Path:
    """Where we keep what concerns a run folder."""
    return folder.parent / f".{STORE}" / "adopted" / folder.name


def is_run_place(where: str) -> bool:
    """Whether a destination is a run folder: then it means that run."""
    if not is_local(where):
        return False
    folder = Path(where).expanduser()
    if (adopted_home(folder) / NOTE).is_file():
        return True
    return folder.is_dir() and any(is_log_name(path.name) for path in folder.glob("run-*.swanlab"))


def is_online(where: str) -> bool:
    """Whether a run folder's client sends its run to the cloud."""
    note = AdoptedNote.of(Path(where).expanduser())
    return note is not None and note.mode == ONLINE


def log_in(folder: Path) -> Path | None:
    """The log of a run folder."""
    return next(iter(sorted(folder.glob("run-*.swanlab"))), None)


def awaited(folder: Path) -> Awaited | None:
    """What whoever adds to a run waits for; None when its client is through with it."""
    lives = _lives(folder)
    log = log_in(folder)
    if log is None or not has_finish(log):
        if lives is None:
            return Awaited(f"{_TO_END}, whose process may be gone: nobody can tell here", False)
        return Awaited(_TO_END, True) if lives else None
    note = AdoptedNote.of(folder)
    is_sent = note is None or note.mode != ONLINE or not lives
    if is_sent or time.time() - log.stat().st_mtime > _UPLOADING_SECONDS:
        return None
    return Awaited("waits until SwanLab's client has uploaded its run", True)


def has_finish(log: Path) -> bool:
    """Whether a log says how its run ended, which is the last that a client says."""
    from runferry import _native

    offset = max(0, log.stat().st_size // _BLOCK - 1) * _BLOCK
    scanner = _native.SwanlabScanner(log, offset=offset)
    while (batch := scanner.next()) is not None:
        if any(number == FINISH for number, *_ in batch.records):
            return True
    return False


def _lives(folder: Path) -> bool | None:
    """Whether the process of the client lives; None where nobody can tell."""
    if sys.platform == "win32":
        return None
    import fcntl

    try:
        with (adopted_home(folder) / OPEN).open("rb") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
    except OSError:
        return None
    return False
