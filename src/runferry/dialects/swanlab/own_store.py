"""What runferry keeps beside SwanLab's run folders, where no client looks.

    <root>/run-<time>-<id>/                  for SwanLab
    <root>/runferry/                         ours: runs as plain files, exact
    <root>/runferry/runs/<name>/shown.json   which run folder was made of this run

Ours counts as long as that folder's log is there as it was written.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from runferry.dialects.plain_folder.notes import reading_note
from runferry.paths import inside

SHOWN: Final = "shown.json"


@dataclass(frozen=True, slots=True)
class Shown:
    """What was made of a run for SwanLab."""

    folder: str
    log: str
    size: int  # of the log, in bytes
    project: str
    workspace: str  # empty for the account's own

    def text(self) -> str:
        """As `shown.json`."""
        return json.dumps(asdict(self), indent=2)

    def stands(self, root: Path) -> bool:
        """Whether the log is there as it was written."""
        found = inside(root, f"{self.folder}/{self.log}")
        return found is not None and found.stat().st_size == self.size


def folder_in(folder: Path) -> str:
    """Which run folder was made, whatever else `shown.json` lacks; raises as `shown_in`."""
    path = folder / SHOWN
    with reading_note(path):
        return str(json.loads(path.read_bytes())["folder"])


def shown_in(folder: Path) -> Shown:
    """What `shown.json` in a run's folder says. Raises FileNotFoundError, Damaged."""
    path = folder / SHOWN
    with reading_note(path):
        tree = json.loads(path.read_bytes())
        made, log, project, workspace = (
            str(tree[part]) for part in ("folder", "log", "project", "workspace")
        )
        return Shown(made, log, int(tree["size"]), project, workspace)
