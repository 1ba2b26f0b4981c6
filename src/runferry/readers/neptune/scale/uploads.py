"""Files that a run of neptune-scale is to upload: saved in its own folder, or named by a path."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath

from runferry.losses import Fate, Loss, LossLedger
from runferry.model import Blob
from runferry.paths import blob_at, inside, spelled
from runferry.readers.neptune.scale.messages import FileRef

_NOW = "bytes as they are now: the queue keeps only where the file lay"


@dataclass
class Uploads:
    """The requests of one database, by where they are to go."""

    folder: Path
    home: Path | None
    """The folder below which paths are followed; None: everywhere."""
    losses: LossLedger
    requests: dict[str, tuple[str, bool]] = field(default_factory=dict)

    @classmethod
    def of(
        cls, connection: sqlite3.Connection, folder: Path, home: Path | None, losses: LossLedger
    ) -> Uploads:
        """Those that wait; what was uploaded is no longer there."""
        rows = connection.execute(
            "SELECT destination, source_path, is_temporary FROM file_upload_requests"
        )
        found = {str(to): (str(source), bool(saved)) for to, source, saved in rows}
        return cls(folder, home, losses, found)

    def blob(self, ref: FileRef, where: str) -> Blob:
        """The bytes of a file; missing ones where they were sent, or are gone."""
        gone = Blob(ref.size, ref.mime_type or None)
        source, is_saved = self.requests.get(ref.path, ("", False))
        if not source or "\0" in source:
            return gone
        if is_saved:
            saved = inside(self.folder, PureWindowsPath(source).name)
            return gone if saved is None else blob_at(saved, ref.mime_type or None)
        path = Path(source)
        if not path.is_file():
            return gone
        if self.home is not None and not path.resolve().is_relative_to(self.home.resolve()):
            why = f"{spelled(source)} lies outside; RUNFERRY_NEPTUNE_UPLOADS=anywhere takes it"
            self.losses.add(Loss("outside-upload", Fate.DROPPED, where, 1, why))
            return gone
        self.losses.add(Loss("upload-by-path", Fate.KEPT, "", 1, _NOW))
        return blob_at(path, ref.mime_type or None)
