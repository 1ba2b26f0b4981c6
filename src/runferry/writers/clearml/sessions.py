"""Which sessions of a folder are ours, and where those of new runs go."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from runferry.dialects.clearml.names import OFFLINE, TRACKER
from runferry.dialects.clearml.own_copy import OWN, Authored, authored_in
from runferry.dialects.plain_folder.layout import HIDDEN
from runferry.dialects.plain_folder.sums import has_sums
from runferry.errors import Damaged
from runferry.model import Run, Uid
from runferry.paths import regular

_ID: Final = re.compile(rf"(?:{OFFLINE})?([0-9a-f]{{32}})")


class Sessions:
    """The sessions that lie right below a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.hidden = root / HIDDEN
        self._known: dict[Uid, Path] | None = None

    def find(self, uid: Uid) -> Path | None:
        """The folder of a complete session of ours, whose zip is there too."""
        if self._known is None:
            self._known = dict(self.complete())
        found = self._known.get(uid)
        if found is not None and whose(found) == uid:
            return found
        return None

    def complete(self) -> Iterator[tuple[Uid, Path]]:
        """All of ours."""
        try:
            found = sorted(self.root.iterdir())
        except FileNotFoundError:
            return
        for path in found:
            if path.name.startswith(OFFLINE):
                uid = whose(path)
                if uid is not None:
                    yield uid, path

    def place(self, run: Run, uid: Uid) -> Path:
        """Where a run is to lie: where it does, else by its own id where ClearML gave it one."""
        known = self.find(uid)
        if known is not None:
            return known
        stated = _ID.fullmatch(run.key.run_id) if run.key.tracker == TRACKER else None
        for name in (stated[1] if stated else uid, uid):
            place = self.root / f"{OFFLINE}{name}"
            if not place.exists() or _stated_uid(place) == uid:
                return place
        return self.root / f"{OFFLINE}{uid}"

    def settled(self, uid: Uid, place: Path) -> None:
        """A session of ours has come to lie here."""
        if self._known is not None:
            self._known[uid] = place


def zip_of(session: Path) -> Path:
    """What lies beside a session."""
    return session.with_name(f"{session.name}.zip")


def whose(session: Path) -> Uid | None:
    """The mark of a complete session that is as it was written; None for any other, and where an
    earlier runferry wrote the copy, which has no sums."""
    said = _stated(session)
    if said is None or not has_sums(session / OWN) or not said.stands(session):
        return None
    packed = regular(zip_of(session))
    return said.uid if packed is not None and packed.st_size == said.zip_bytes else None


def _stated_uid(session: Path) -> Uid | None:
    said = _stated(session)
    return None if said is None else said.uid


def _stated(session: Path) -> Authored | None:
    try:
        return authored_in(session / OWN)
    except (OSError, Damaged):
        return None


def is_ours(session: Path, uid: Uid) -> bool:
    """Whether a folder was written for this run, whatever became of it."""
    return _stated_uid(session) == uid
