"""The writer of archives in neptune-exporter's format, with our own store of exact runs in them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Self

from runferry.dialects.neptune.export_files import DATA, FILES
from runferry.dialects.neptune.own_store import EXPORTED, STORE, STORE_MARK, exported_in
from runferry.dialects.plain_folder.forms import Form
from runferry.dialects.plain_folder.parquet_form import ParquetForm
from runferry.errors import Damaged, Refused
from runferry.losses import Loss
from runferry.model import Run, Uid
from runferry.ports import Limits, Location, Progress, RemoteId
from runferry.writers.disk import disk_errors
from runferry.writers.neptune.exporting import Exporting
from runferry.writers.neptune.limits import LIMITS
from runferry.writers.plain_folder import PlainFolderWriter
from runferry.writers.plain_folder.draft import Draft

_OURS = {DATA, FILES, STORE}


class ExportWriter(PlainFolderWriter):
    """Puts runs into an archive that the exporter's loaders read.

    A run is staged in our own store, its parts and files are made of that, and then it is complete
    in the store: whoever is killed in between has made parts that the next push makes again.
    """

    name: ClassVar[str] = "neptune"
    form: ClassVar[Form] = ParquetForm()
    limits: ClassVar[Limits] = LIMITS
    has_tables_for_people: ClassVar[bool] = False

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._export = root.parent
        self._losses: dict[RemoteId, tuple[Loss, ...]] = {}

    @classmethod
    def open(cls, where: Location) -> Self:
        """Raises Refused for a folder with other things in it."""
        root = where.path
        with disk_errors(root):
            root.mkdir(parents=True, exist_ok=True)
            stranger = next((p.name for p in root.iterdir() if p.name not in _OURS), None)
        if stranger is not None:
            raise Refused(
                "this folder holds other things than an export of Neptune",
                where=str(root),
                hint=f"name a folder that does not exist yet: neptune:{root}/export",
            )
        return super().open(Location(where.tracker, str(root / STORE)))

    @classmethod
    def marked_as(cls) -> str:
        """No source by itself."""
        return STORE_MARK

    def find(self, uid: Uid) -> RemoteId | None:
        """The run that carries this mark; one whose parts were taken away is gone."""
        found = super().find(uid)
        return found if found is None or self._attempts(uid) or self._stands(uid) else None

    def present(self) -> Mapping[Uid, RemoteId] | None:
        """The complete runs whose parts are there."""
        found = super().present() or {}
        return {uid: remote for uid, remote in found.items() if self._stands(uid)}

    def stored(self, remote: RemoteId) -> Progress | None:
        """Whether it is complete; raises RunMissing."""
        progress = super().stored(remote)
        if progress is not None and progress.is_sealed and not self._stands(Uid(remote)):
            raise self._missing(remote)
        return progress

    def _stands(self, uid: Uid) -> bool:
        folder = self._folders.find(uid)
        if folder is None:
            return False
        try:
            return exported_in(folder).stands(self._export / DATA)
        except (FileNotFoundError, Damaged):
            return False

    def show(self, draft: Draft, run: Run) -> None:
        """The parts and files for everybody."""
        exporting = Exporting(self._export, draft, run)
        exported = exporting.go()
        (draft.home / EXPORTED).write_text(exported.text())
        self._losses[RemoteId(draft.uid)] = tuple(exporting.losses)

    def losses(self, remote: RemoteId) -> tuple[Loss, ...]:
        """What has another name there than it should."""
        return self._losses.get(remote, ())
