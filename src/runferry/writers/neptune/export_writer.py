"""The writer of archives in neptune-exporter's format, with our own store of exact runs in them."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import ClassVar, Self

from runferry.dialects.neptune.export_files import DATA, FILES
from runferry.dialects.neptune.own_store import EXPORTED, STORE, STORE_MARK, exported_in
from runferry.errors import Refused
from runferry.model import Run, Uid
from runferry.ports import Limits, Location, RemoteId
from runferry.writers.disk import disk_errors
from runferry.writers.neptune.exporting import Exporting
from runferry.writers.neptune.limits import LIMITS
from runferry.writers.plain_folder.draft import Draft
from runferry.writers.plain_folder.shown import ShownWriter

_OURS = {DATA, FILES, STORE}


class ExportWriter(ShownWriter):
    """Puts runs into an archive that the exporter's loaders read.

    A run is staged in our own store, its parts and files are made of that, and then it is complete
    in the store: whoever is killed in between has made parts that the next push makes again.
    """

    name: ClassVar[str] = "neptune"
    limits: ClassVar[Limits] = LIMITS

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._export = root.parent

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

    def _standing(self, uids: Collection[Uid]) -> set[Uid]:
        return self._those(uids, lambda home: exported_in(home).stands(self._export / DATA))

    def show(self, draft: Draft, run: Run) -> None:
        """The parts and files for everybody."""
        exporting = Exporting(self._export, draft, run)
        exported = exporting.go()
        (draft.home / EXPORTED).write_text(exported.text())
        self._losses[RemoteId(draft.uid)] = tuple(exporting.losses)
