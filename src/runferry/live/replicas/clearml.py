"""A task of ClearML as its client would have left it offline: a session, and what it uploads."""

from __future__ import annotations

import hashlib
import json
import os
import re
import zipfile
from pathlib import Path, PurePosixPath
from typing import Final

from runferry.dialects.clearml.names import DATA, LOG_FILE, METRICS_FILE, MODELS, TASK_FILE
from runferry.live.frames import Frame
from runferry.live.replicas.beside import bring
from runferry.live.replicas.growing import GrowingFile
from runferry.model import Tree

_PLAIN: Final = re.compile(r"[A-Za-z0-9][\w.-]{0,127}", re.ASCII)
_ROOT: Final = "offline_folder"


def session_name(task_id: str) -> str:
    """What the folder of a task's session is called."""
    digest = hashlib.blake2b(task_id.encode(), digest_size=8).hexdigest()
    return task_id if _PLAIN.fullmatch(task_id) else f"task-{digest}"


class SessionReplica:
    """The session of one task."""

    def __init__(self, root: Path, copies: Path, facts: dict[str, Tree]) -> None:
        """`copies` is where the hook put what was logged as a file."""
        task_id = str(facts.get("run"))
        self._folder = root / session_name(task_id)
        self._copies = copies
        self._task: dict[str, Tree] = {"id": task_id}
        home = facts.get("folder")
        self._home = Path(str(home)) if home else None
        self._is_offline = bool(facts.get("is_offline"))
        self._events = GrowingFile(self._folder / METRICS_FILE)
        self._log = GrowingFile(self._folder / LOG_FILE)
        self._waiting: list[tuple[str, str]] = []  # place in the session, copy
        self._is_known = False  # what the task is
        self._is_new = True  # what is to be told of it
        self._is_over = self._is_closed = False

    def take(self, frame: Frame) -> None:
        """One record."""
        call = json.loads(frame.payload)
        match call["op"]:
            case "event":
                event, copy = call["event"], call.get("copy")
                if copy:
                    self._waiting.append((f"{DATA}/{event.get('key')}", str(copy)))
                self._events.put(json.dumps([event]).encode() + b"\n")
            case "log":
                self._log.put(json.dumps([call["event"]]).encode() + b"\n")
            case "task":
                self._task |= call["fields"]
                self._is_known = self._is_new = True
            case "file":
                self._file(str(call["uri"]), str(call["root"]).rstrip("/"), str(call["copy"]))
            case "end":
                self._is_over = self._is_known = True
            case _:
                pass

    def flush(self) -> None:
        """Bring it to the disk, once it is known what it is. Raises OSError."""
        if not self._is_known:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        for place, copy in self._waiting:
            target = _below(self._folder, place)
            if target is not None:
                bring(self._copies / copy, target)
        self._waiting.clear()
        if self._is_new:
            scratch = self._folder / f".{TASK_FILE}.new"
            scratch.write_text(json.dumps(self._task, sort_keys=True))
            scratch.replace(self._folder / TASK_FILE)
            self._is_new = False
        self._events.flush()
        self._log.flush()
        if self._is_over and not self._is_closed:
            self._close()
            self._is_closed = True

    def end(self) -> None:
        """No more comes. Raises OSError."""
        self._is_known = True
        self.flush()

    def _file(self, uri: str, root: str, copy: str) -> None:
        """An artifact's file, at the place that readers find by its address."""
        if self._home is None and root and _ROOT not in self._task:
            self._task[_ROOT], self._is_new = root, True  # what addresses are below
        above = str(self._task.get(_ROOT) or self._home or "").rstrip("/")
        if above and uri.startswith(f"{above}/"):
            self._waiting.append((uri[len(above) + 1 :], copy))

    def _close(self) -> None:
        """Models lie beside; that a session is over is told by its zip, which nobody opens."""
        for folder, _, names in os.walk(self._home / MODELS) if self._home else ():
            for name in names:
                path = Path(folder, name)
                if path.is_file() and self._home is not None:
                    bring(path, self._folder / path.relative_to(self._home))
        if self._is_offline:
            with zipfile.ZipFile(self._folder.with_name(f"{self._folder.name}.zip"), "w"):
                pass


def _below(folder: Path, place: str) -> Path | None:
    """Where a name from the data means, if that is below the folder."""
    parts = PurePosixPath(place).parts
    if not parts or place.startswith("/") or ".." in parts or "\0" in place:
        return None
    return folder.joinpath(*parts)
