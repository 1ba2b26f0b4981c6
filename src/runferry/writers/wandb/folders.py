"""Which run folder is which run's: named as W&B's client names them, found by our mark."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from runferry.dialects.wandb.own_files import HIDDEN, uid_of
from runferry.model import Run, Uid, instant
from runferry.writers.wandb.chosen_ids import CHOSEN_IDS
from runferry.writers.wandb.messages import started_ns
from runferry.writers.wandb.place import Place

_OFFLINE: Final = "offline-run-"
_RUN_FOLDER: Final = re.compile(r"(?:offline-|dry)?run-\d{8}_\d{6}-(.+)", re.DOTALL)
_ID: Final = re.compile(r"[A-Za-z0-9_\-]{1,64}")
"""Ids that are safe as names of files and in addresses of W&B."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class RunFolders:
    """The run folders of ours below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.hidden = root / HIDDEN
        self._known: dict[Uid, Path] = {}
        self._looked_into: dict[tuple[str, int], Uid | None] = {}  # by name and inode

    def find(self, uid: Uid) -> Path | None:
        """The complete folder of a run, whatever it is called by now."""
        known = self._known.get(uid)
        if known is not None and uid_of(known) == uid:
            return known
        found = self.complete().get(uid)
        return found if found is not None and uid_of(found) == uid else None

    def complete(self) -> dict[Uid, Path]:
        """All complete runs, from one listing; only what is new in it is opened."""
        known = self._looked_into
        self._looked_into = {
            (name, inode): known[name, inode]
            if (name, inode) in known
            else uid_of(self.root / name)
            for name, inode in self._listed()
        }
        marked = ((uid, self.root / name) for (name, _), uid in self._looked_into.items())
        self._known = {uid: path for uid, path in marked if uid is not None}
        return self._known

    def settled(self, uid: Uid, folder: Path) -> None:
        """A run of ours has come to lie here."""
        self._known[uid] = folder

    def place(self, run: Run, uid: Uid) -> Place:
        """Where a run is to lie: where it lies already, else by its time and id.

        The id is the run's own, if W&B takes it and no other run here has it; else its mark.
        """
        found = self.find(uid)
        if found is not None:
            return Place(found, _id_in(found), run.project or "")
        wished = fitting_id(run, uid)
        run_id = uid if self._has(wished) else CHOSEN_IDS.choose(str(self.root), wished, uid)
        return Place(self.place_of(run, run_id), run_id, run.project or "")

    def place_of(self, run: Run, run_id: str) -> Path:
        """The folder that W&B's client would make for a run."""
        return self.root / f"{_OFFLINE}{_time(run)}-{run_id}"

    def _has(self, run_id: str) -> bool:
        """Whether some run's folder, ours or not, has this id."""
        names = (_RUN_FOLDER.fullmatch(name) for name, _ in self._listed())
        return any(name[1] == run_id for name in names if name)

    def _listed(self) -> list[tuple[str, int]]:
        """Name and inode of everything here that may be a run's folder, by name."""
        try:
            with os.scandir(self.root) as found:
                return sorted((one.name, one.inode()) for one in found if "run-" in one.name)
        except FileNotFoundError:
            return []


def fitting_id(run: Run, uid: Uid) -> str:
    """The run's own id, if W&B takes it; else its mark."""
    return run.key.run_id if _ID.fullmatch(run.key.run_id) else uid


def _id_in(folder: Path) -> str:
    """The id that the log of a run folder is called by."""
    names = sorted(path.name for path in folder.glob("run-*.wandb"))
    return names[0].removeprefix("run-").removesuffix(".wandb") if names else folder.name


def _time(run: Run) -> str:
    begun = started_ns(run)
    when = _EPOCH if begun is None else instant(max(begun, 0))
    return f"{when:%Y%m%d_%H%M%S}"
