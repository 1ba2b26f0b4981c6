"""Writes runs into a run that SwanLab's own client has begun, when that has ended it.

Its id, project and name stay its own. Series keep their keys where the run has none like them, and
configurations update its own. A run on the disk gets records behind those of its client; to one in
the cloud `swanlab sync` adds them, of which each key is new there, so that none is behind a step.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

from runferry.dialects.swanlab.names import CONFIG, FILES
from runferry.dialects.swanlab.own_store import SHOWN, Shown
from runferry.losses import Loss
from runferry.model import Run, Tree, Uid
from runferry.ports import Limits, Location, RemoteId
from runferry.writers.plain_folder.draft import Draft
from runferry.writers.swanlab import attributes
from runferry.writers.swanlab.adopted_authoring import AdoptedAuthoring
from runferry.writers.swanlab.adopted_run import Added, AdoptedRun, about_of
from runferry.writers.swanlab.cloud import CloudWriter
from runferry.writers.swanlab.folder_writer import FolderWriter
from runferry.writers.swanlab.limits import ADOPTED_LIMITS
from runferry.writers.swanlab.place import Place
from runferry.writers.swanlab.read_back import confirm
from runferry.writers.swanlab.upload import upload, vendor_command
from runferry.writers.work_folder import WorkFolder

if TYPE_CHECKING:
    from runferry.writers.swanlab.dashboard import Tag

_MADE = "swanlab"


class AdoptedWriter(CloudWriter):
    """Adds runs to the run of a folder."""

    limits: ClassVar[Limits] = ADOPTED_LIMITS
    _adopted: AdoptedRun

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._added_tags: dict[Uid, list[Tag]] = {}

    @classmethod
    def open(cls, where: Location) -> Self:
        """Raises Declined while the run's client is at work, Refused, MissingExtra."""
        adopted = AdoptedRun(where.path)
        if adopted.is_online:
            vendor_command()
        work = WorkFolder.made(cls.name)
        writer = super(CloudWriter, cls).open(Location(where.tracker, str(work.path)))
        writer._work = work
        writer._adopted = adopted
        return writer

    def present(self) -> Mapping[Uid, RemoteId]:
        """What was added to this very run, and stands there."""
        return {uid: RemoteId(uid) for uid in self._adopted.standing()}

    def show(self, draft: Draft, run: Run) -> None:
        """What is to be added of the run, in a folder of its own."""
        adopted, header = self._adopted, draft.header(run)
        folder = self._swanlog / f"run-{draft.uid}"
        made = draft.home / _MADE
        with adopted.alone(self.name):
            place = Place(folder if adopted.is_online else adopted.folder, adopted.run_id)
            into = adopted.into(draft.uid, time.time_ns())
            authoring = AdoptedAuthoring(made, place, draft, header, into)
            authoring.go()
            adopted.note_added(draft.uid, _added(authoring, draft, header))
            authoring.put_config(attributes.entries_text(adopted.config()))
        authoring.end()
        log = made / authoring.log_name
        if into.is_listed:
            self._added_tags[draft.uid] = adopted.dashboard.stage(made, log, draft.uid)
        size = log.stat().st_size
        shown = Shown(folder.name, authoring.log_name, size, adopted.project, adopted.workspace)
        (draft.home / SHOWN).write_text(shown.text(), encoding="utf-8")
        self._losses[RemoteId(draft.uid)] = authoring.losses()

    def _publish(self, draft: Draft, run: Run) -> None:
        """Add it, and see that it has arrived."""
        FolderWriter._publish(self, draft, run)
        adopted, folder = self._adopted, self._swanlog / f"run-{draft.uid}"
        with adopted.alone(self.name) as keeps:
            # another run may have been added meanwhile
            text = attributes.entries_text(adopted.config())
            (folder / FILES / CONFIG).write_text(text, encoding="utf-8")
            if adopted.is_online:
                lost = self._send(folder, keeps)
            else:
                lost = adopted.compose(folder, draft.uid)
                tags = self._added_tags.pop(draft.uid, None)
                if tags is not None:
                    adopted.dashboard.put(folder, draft.header(run), draft.uid, tags)
        remote = RemoteId(draft.uid)
        self._losses[remote] = (*self._losses.get(remote, ()), *lost)

    def _send(self, folder: Path, keeps: tuple[int, ...]) -> tuple[Loss, ...]:
        """Upload it; what has not arrived."""
        adopted = self._adopted
        place = upload(
            folder, adopted.run_id, adopted.workspace or None, adopted.project or None, keeps
        )
        if place is None:
            return ()
        (log,) = folder.glob("run-*.swanlab")
        return confirm(log, place)


def _added(authoring: AdoptedAuthoring, draft: Draft, run: Run) -> Added:
    """What is noted of a run: its configuration, and what SwanLab has no place for."""
    items = list(draft.attributes)
    told: dict[str, Tree] = attributes.about(run, authoring.originals)
    for role in ("summary", "environment", "other"):
        tree = attributes.nested(item for item in items if item.role == role)
        if tree:
            told[role] = tree
    config = attributes.plain(attributes.nested(item for item in items if item.role == "config"))
    return Added(authoring.names, config, about_of(run, told), authoring.has_lines)
