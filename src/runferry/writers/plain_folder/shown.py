"""A store of exact runs beside what somebody else's programs are shown of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from runferry.dialects.plain_folder.forms import Form
from runferry.dialects.plain_folder.layout import is_uid
from runferry.dialects.plain_folder.parquet_form import ParquetForm
from runferry.dialects.plain_folder.sums import has_sums
from runferry.errors import Damaged
from runferry.losses import Loss
from runferry.model import Uid
from runferry.ports import Progress, RemoteId
from runferry.writers.plain_folder.writer import PlainFolderWriter


class ShownWriter(PlainFolderWriter):
    """A run is there as long as what was made of it for others stands.

    A subclass makes that in `show`, and says in `_standing` whether it is as it was written.
    """

    form: ClassVar[Form] = ParquetForm()
    is_beside: ClassVar[bool] = True

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._losses: dict[RemoteId, tuple[Loss, ...]] = {}

    @abstractmethod
    def _standing(self, uids: Collection[Uid]) -> set[Uid]:
        """Those of these runs of which all that was made stands."""

    def _has_others_rows(self, uid: Uid) -> bool:
        """Whether somebody logged on to what was made of a run, which `show` would take away."""
        return False

    def find(self, uid: Uid) -> RemoteId | None:
        """The run that carries this mark; one of which nothing stands any more is gone."""
        found = super().find(uid)
        if found is not None and (self._attempts(uid) or self._standing([uid])):
            return found
        return RemoteId(uid) if self._has_others_rows(uid) else None

    def present(self) -> Mapping[Uid, RemoteId] | None:
        """The complete runs of which all stands."""
        found = super().present() or {}
        standing = self._standing(found)
        return {uid: remote for uid, remote in found.items() if uid in standing}

    def stored(self, remote: RemoteId) -> Progress | None:
        """Whether it is complete; raises RunMissing."""
        has_others_rows = is_uid(remote) and self._has_others_rows(Uid(remote))
        if has_others_rows and super().find(Uid(remote)) is None:
            return Progress(has_others_rows=True)  # a push that was broken off left the run alone
        progress = super().stored(remote)
        if progress is not None and has_others_rows:
            return replace(progress, has_others_rows=True)
        if progress is not None and progress.is_sealed and not self._standing([Uid(remote)]):
            raise self._missing(remote)
        return progress

    def losses(self, remote: RemoteId) -> tuple[Loss, ...]:
        """What others are not shown as it is, and no plan foresees."""
        return self._losses.get(remote, ())

    def _those(self, uids: Collection[Uid], stands_in: Callable[[Path], bool]) -> set[Uid]:
        """Those whose folder in the store passes; `stands_in` raises as files do, and Damaged.

        One without sums is none that can be read back: an earlier runferry wrote it.
        """
        found = set()
        for uid in uids:
            folder = self._folders.find(uid)
            with suppress(FileNotFoundError, Damaged):  # then it is made anew
                if folder is not None and has_sums(folder) and stands_in(folder):
                    found.add(uid)
        return found
