"""A run of MLflow, or an experiment of ours, as the calls that made it: a line of JSON each."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from runferry.live.frames import Frame
from runferry.live.replicas.growing import GrowingFile
from runferry.model import Tree

SUFFIX = ".calls"


class CallsReplica:
    """The calls of one run; the first line says which run it is."""

    def __init__(self, folder: Path, facts: dict[str, Tree]) -> None:
        tracker, run_id = str(facts.get("tracker")), str(facts.get("run"))
        folder.mkdir(parents=True, exist_ok=True)
        self._file = GrowingFile(folder / calls_name(tracker, run_id))
        self._file.put(first_line(tracker, run_id))

    def take(self, frame: Frame) -> None:
        """One call, which is one line."""
        self._file.put(frame.payload.replace(b"\n", b" ") + b"\n")

    def flush(self) -> None:
        """Bring it to the disk. Raises OSError."""
        self._file.flush()

    def end(self) -> None:
        """No more comes. Raises OSError."""
        self.flush()


def calls_name(tracker: str, run_id: str) -> str:
    """What the file with the calls of a run is called."""
    digest = hashlib.blake2b(f"{tracker} {run_id}".encode(), digest_size=8)
    return f"{digest.hexdigest()}{SUFFIX}"


def first_line(tracker: str, run_id: str) -> bytes:
    """Whose calls follow."""
    return json.dumps({"tracker": tracker, "run": run_id}).encode() + b"\n"
