"""The bytes of a run that no event shows: files beside the event file, named by their hash."""

from __future__ import annotations

import hashlib
import re
from contextlib import suppress
from pathlib import Path
from typing import Final

from runferry import _native
from runferry.dialects.tensorboard.names import BLOBS
from runferry.dialects.tensorboard.own_files import is_sha256
from runferry.durable import sync
from runferry.model import Blob

_NAMED: Final = re.compile(rb'"file": ?"([0-9a-f]{64})"')
"""Where a record of ours names a file; in a text that looks so, the file is kept for nothing."""


class BlobFiles:
    """Stores bytes once each."""

    def __init__(self, run_folder: Path) -> None:
        self._folder = run_folder / BLOBS
        self._draft = self._folder / "draft.part"
        self._unsynced: set[Path] = set()

    def put(self, blob: Blob) -> str | None:
        """The hash by which the bytes are found again; None where they are missing."""
        if blob.open is None:
            return None
        if blob.sha256 is not None and self._has(blob.sha256, blob.size):
            self._unsynced |= {self._folder / blob.sha256, self._folder, self._folder.parent}
            return blob.sha256
        self._folder.mkdir(exist_ok=True)
        draft = self._draft
        digest = hashlib.sha256()
        with blob.open() as source, draft.open("wb") as sink:
            while piece := source.read(1 << 20):
                digest.update(piece)
                sink.write(piece)
        name = digest.hexdigest()
        target = self._folder / name
        if self._has(name, draft.stat().st_size):
            draft.unlink()
        else:
            draft.replace(target)
        self._unsynced |= {target, self._folder, self._folder.parent}
        return name

    def _has(self, sha256: str, size: int | None) -> bool:
        if not is_sha256(sha256):
            return False
        target = self._folder / sha256
        return target.is_file() and target.stat().st_size == size

    def settle(self) -> None:
        """Returns when all that was stored would survive a loss of power."""
        if self._unsynced:
            sync(self._unsynced)
            self._unsynced.clear()

    def forget(self) -> None:
        """What was asked for since is named by what lasts already."""
        self._unsynced.clear()

    def clear(self) -> None:
        """Away with what a push that was killed had begun."""
        self._draft.unlink(missing_ok=True)


def keep_only(run_folder: Path, event_file: Path) -> None:
    """Remove the bytes that this event file does not name."""
    folder = run_folder / BLOBS
    try:
        there = {path.name for path in folder.iterdir()}
    except FileNotFoundError:
        return
    for name in sorted(there - _named_in(event_file)):
        (folder / name).unlink(missing_ok=True)
    with suppress(OSError):  # it is not empty
        folder.rmdir()


def _named_in(event_file: Path) -> set[str]:
    found: set[str] = set()
    scanner = _native.EventScanner(event_file)
    while (batch := scanner.next()) is not None:
        for kind, _, _, _, message in batch.records:
            if kind == "runferry":
                found |= {name.decode() for name in _NAMED.findall(message["json"])}
    return found
