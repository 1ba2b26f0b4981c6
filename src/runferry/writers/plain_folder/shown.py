"""A store of exact runs beside what somebody else's programs are shown of them."""

from __future__ import annotations

import os
import shutil
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from runferry.dialects.plain_folder.forms import Form
from runferry.dialects.plain_folder.parquet_form import ParquetForm
from runferry.errors import Damaged
from runferry.losses import Loss
from runferry.model import Uid
from runferry.ports import Progress, RemoteId
from runferry.writers.plain_folder.writer import PlainFolderWriter


class ShownWriter(PlainFolderWriter):
    """A run is there as long as what was made of it for others stands.

    A subclass makes that in `show`, and says in `_stands_in` whether it is as it was written.
    """

    form: ClassVar[Form] = ParquetForm()
    has_tables_for_people: ClassVar[bool] = False

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._losses: dict[RemoteId, tuple[Loss, ...]] = {}

    @abstractmethod
    def _stands_in(self, folder: Path) -> bool:
        """Whether what the store's folder of a run tells of stands; raises as files do, Damaged."""

    def find(self, uid: Uid) -> RemoteId | None:
        """The run that carries this mark; one of which nothing stands any more is gone."""
        found = super().find(uid)
        return found if found is None or self._attempts(uid) or self._stands(uid) else None

    def present(self) -> Mapping[Uid, RemoteId] | None:
        """The complete runs of which all stands."""
        found = super().present() or {}
        return {uid: remote for uid, remote in found.items() if self._stands(uid)}

    def stored(self, remote: RemoteId) -> Progress | None:
        """Whether it is complete; raises RunMissing."""
        progress = super().stored(remote)
        if progress is not None and progress.is_sealed and not self._stands(Uid(remote)):
            raise self._missing(remote)
        return progress

    def losses(self, remote: RemoteId) -> tuple[Loss, ...]:
        """What others are not shown as it is, and no plan foresees."""
        return self._losses.get(remote, ())

    def _stands(self, uid: Uid) -> bool:
        folder = self._folders.find(uid)
        if folder is None:
            return False
        try:
            return self._stands_in(folder)
        except (FileNotFoundError, Damaged):
            return False


def put_link(source: Path, target: Path) -> None:
    """The same bytes at another place: a link, or a copy where the system has none."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:  # another disk, or one without links
        shutil.copyfile(source, target)
