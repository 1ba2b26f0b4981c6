"""How far a file that may grow was read, and whether it still begins with that."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from runferry.errors import SourceChanged
from runferry.paths import fingerprint


@dataclass
class ReadPart:
    """The part of a file before `offset`: plain data for a cursor."""

    offset: int = 0
    fingerprint: str = ""

    def check(self, path: Path) -> None:
        """Raises SourceChanged unless the file still begins with what was read."""
        if self.fingerprint and fingerprint(path, self.offset) != self.fingerprint:
            raise changed(path)

    def sign(self, path: Path) -> None:
        """Note what the file looks like up to `offset`."""
        self.fingerprint = fingerprint(path, self.offset)


def changed(path: Path) -> SourceChanged:
    """What was read of this file is no longer there."""
    return SourceChanged(
        "what was read before is no longer the beginning of this file",
        where=str(path),
        hint="pull it into a new archive, or restore the file",
    )
