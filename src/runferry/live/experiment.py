"""An experiment of ours: what `start_logging` begins, and what is logged to it directly."""

from __future__ import annotations

import getpass
import json
import os
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from runferry.live.frames import Kind
from runferry.live.hooks.copies import Copies
from runferry.live.journal import Journal
from runferry.live.parameters import plain

TRACKER: Final = "runferry"
HOOK: Final = "experiment"


class Experiment:
    """Logs to every backend of its session. No method waits for one, and none fails for one."""

    def __init__(self, journal: Journal, files: Path, name: str, project: str) -> None:
        self.name = name
        self.project = project
        self.run_id = uuid.uuid4().hex
        self.process = os.getpid()
        self._journal = journal
        self._copies = Copies(files)
        self._iteration = 0
        self.source = json.dumps({"tracker": TRACKER, "store": "", "run": self.run_id})
        """What records of it are from."""
        self._call(
            {
                "op": "run",
                "experiment": project,
                "name": name,
                "user": _user(),
                "status": "RUNNING",
                "start_ms": _now_ms(),
                "tags": {},
            }
        )

    def log_params(self, params: Mapping[str, object]) -> None:
        """Parameters, in mappings too; what JSON does not know is kept as text."""
        self._call({"op": "config", "values": plain(params)})

    def log_metric(self, name: str, value: float, iteration: int | None = None) -> None:
        """One value; without an iteration, that of `set_iteration`."""
        step = self._iteration if iteration is None else int(iteration)
        self._batch(metrics=[[name, float(value), _now_ms(), step]])

    def log_artifact(self, path: str | os.PathLike[str], artifact_path: str | None = None) -> None:
        """A file as it is now, or all files of a folder. Raises OSError where there is none."""
        found = Path(path)
        if not found.is_dir():
            found.open("rb").close()  # what cannot be read is the caller's to hear of
            self._file(found, "/".join(filter(None, (artifact_path, found.name))))
            return
        for inner in sorted(found.rglob("*")):
            if inner.is_file():
                below = inner.relative_to(found.parent).as_posix()
                self._file(inner, "/".join(filter(None, (artifact_path, below))))

    def log_text(self, text: str, artifact_path: str) -> None:
        """A text as a file."""
        self._file(text.encode(), artifact_path)

    def set_tag(self, key: str, value: object) -> None:
        """One tag."""
        self._batch(tags=[[key, str(value)]])

    def set_iteration(self, iteration: int) -> None:
        """The iteration of metrics that come without one."""
        self._iteration = int(iteration)

    def end(self, status: str = "FINISHED") -> None:
        """It is over."""
        self._call({"op": "update", "status": status, "end_ms": _now_ms(), "name": None})

    def _batch(self, **rows: list[list[object]]) -> None:
        self._call({"op": "batch", **rows})

    def _file(self, content: bytes | Path, place: str) -> None:
        try:
            copy = self._copies.put(content)
        except OSError:  # a full disk is no matter of training's
            self._journal.drop(HOOK)
        else:
            self._call({"op": "file", "path": place, "copy": copy})

    def _call(self, call: dict[str, object]) -> None:
        self._journal.append(HOOK, Kind.CALL, self.source, json.dumps(call).encode())


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _user() -> str | None:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container without users
        return None
