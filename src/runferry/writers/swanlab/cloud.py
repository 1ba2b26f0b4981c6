"""Writes runs into SwanLab's cloud: authored in a working folder, then sent by `swanlab sync`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Final, Self

from runferry import settings
from runferry.errors import BadLocation
from runferry.losses import Fate, Loss
from runferry.model import Run, Uid
from runferry.ports import Limits, Location, RemoteId
from runferry.writers.plain_folder.draft import Draft
from runferry.writers.swanlab.folder_writer import FolderWriter
from runferry.writers.swanlab.limits import CLOUD_LIMITS
from runferry.writers.swanlab.read_back import confirm
from runferry.writers.swanlab.upload import upload, vendor_command
from runferry.writers.upload_lock import one_upload
from runferry.writers.work_folder import WorkFolder

_PLACE: Final = re.compile(
    r"(@|(?P<workspace>[0-9A-Za-z_\-]{1,25}))(/(?P<project>[0-9A-Za-z_\-+.]+))?"
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Where a run is to be in the cloud; None is what the client itself chooses."""

    workspace: str | None
    project: str | None
    run_id: str

    @property
    def where(self) -> str:
        """As it is spelled in messages."""
        return "/".join(part for part in (self.workspace, self.project, self.run_id) if part)


class CloudWriter(FolderWriter):
    """Puts runs into a workspace, each into its own project or all into one.

    A run's id there is its own, or its mark. `swanlab sync` goes on with a run that is there: of
    each key it sends the steps behind the last one, so what is sent again is not there twice.
    """

    limits: ClassVar[Limits] = CLOUD_LIMITS

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._work: WorkFolder | None = None
        self._workspace: str | None = None
        self._project: str | None = None

    @classmethod
    def open(cls, where: Location) -> Self:
        """Raises BadLocation, MissingExtra."""
        named = _PLACE.fullmatch(where.where)
        if named is None:
            raise BadLocation(
                "runs are uploaded into a workspace, or a project of one",
                where=str(where),
                hint="swanlab:WORKSPACE/PROJECT, or swanlab:./FOLDER for run folders",
            )
        vendor_command()
        work = WorkFolder.made(cls.name)
        writer = super().open(Location(where.tracker, str(work.path)))
        writer._work = work
        chosen = settings.current()
        writer._workspace = named["workspace"] or chosen.swanlab_workspace
        writer._project = named["project"] or chosen.swanlab_project
        return writer

    def present(self) -> Mapping[Uid, RemoteId] | None:
        """Nobody lists them: the ledger is believed."""
        return None

    def losses(self, remote: RemoteId) -> tuple[Loss, ...]:
        """As of folders; but here nothing stands beside what SwanLab is shown."""
        return tuple(_alone(loss) for loss in super().losses(remote))

    def close(self) -> None:
        """Forget what was authored."""
        super().close()
        if self._work is not None:
            self._work.remove()

    def _publish(self, draft: Draft, run: Run) -> None:
        """Upload, and see that it has arrived."""
        super()._publish(draft, run)
        folder = self.shown(draft.uid)
        assert folder is not None
        (log,) = folder.glob("run-*.swanlab")
        wanted = Wanted(self._workspace, self._project, log.stem.removeprefix("run-"))
        with one_upload(self.name, wanted.where) as keeps:
            place = self._upload(folder, wanted, run, keeps)
            if place is not None:
                remote = RemoteId(draft.uid)
                self._losses[remote] = (*self._losses.get(remote, ()), *confirm(log, place))

    def _upload(self, folder: Path, wanted: Wanted, run: Run, keeps: tuple[int, ...]) -> str | None:
        """Upload the folder; where it has arrived, if that is known."""
        return upload(folder, wanted.run_id, wanted.workspace, wanted.project, keeps)


def _alone(loss: Loss) -> Loss:
    return replace(loss, fate=Fate.ROUNDED) if loss.fate is Fate.REENCODED else loss
