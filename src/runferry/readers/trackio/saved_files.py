"""Files that `trackio.save` put into a project.

They lie in `media/PROJECT/files/` and belong to no run (trackio 0.43, `save`: "not linked to a
specific run"). The run of the project that began first carries them, so that their bytes come once.
"""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from runferry import chunks
from runferry.dialects.trackio.places import MEDIA
from runferry.model import Cursor, Run
from runferry.paths import blob_at, regular, spelled
from runferry.readers.local_runs import RunAround

_SAVED: Final = "files"


def saved_folder(database: Path) -> Path | None:
    """Where the files of a project lie; None if none were saved."""
    folder = database.parent / MEDIA / database.stem / _SAVED
    return folder if folder.is_dir() and not folder.is_symlink() else None


@dataclass(frozen=True, slots=True)
class WithSaved(RunAround):
    """The first run of a project, and the files that were saved into it."""

    database: Path
    folder: Path

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[chunks.Chunk]:
        """The files by name, then the run's own chunks. See `runferry.ports.Reader`."""
        for folder, below, names in os.walk(self.folder):
            below.sort()
            for name in sorted(names):
                path = Path(folder, name)
                if regular(path) is not None:
                    told = spelled(path.relative_to(self.database.parent).as_posix())
                    mime = mimetypes.guess_type(name)[0]
                    yield chunks.File(told, "other", blob_at(path, mime))
        yield from self.run.read(run, after)
