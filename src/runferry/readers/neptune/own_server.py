"""Reads back, exactly, the runs that runferry sent to a server: by the bundle beside each."""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Final

from runferry.chunks import Chunk
from runferry.dialects import codec
from runferry.dialects.neptune import client as vendor
from runferry.dialects.neptune.attribute_paths import HEADER, SEALED, UID
from runferry.dialects.neptune.names import key_of
from runferry.dialects.neptune.own_store import BUNDLE, PLACES
from runferry.errors import Damaged
from runferry.model import Cursor, Run, RunKey, Uid
from runferry.paths import inside
from runferry.readers.local_runs import LocalRun, refuse_cursor
from runferry.readers.plain_folder.exact_copy import exactly, instead
from runferry.readers.zip_members import UNREADABLE_ZIP
from runferry.tables import loads

_SEND_ANEW: Final = "push the run again from its archive with --restart"
OWN_COLUMNS: Final = (UID, HEADER, SEALED)
"""Of a table of runs: what tells ours."""


@dataclass(frozen=True, slots=True)
class OwnServedRun:
    """A sealed run of ours on a server."""

    project: str
    sys_id: str
    uid: str
    header_text: str
    made: LocalRun
    """What everybody reads of it."""

    @property
    def key(self) -> RunKey:
        """By the id that Neptune gave it."""
        return key_of(self.project, self.sys_id)

    @property
    def sources(self) -> tuple[Path, ...]:
        """No file of this machine."""
        return ()

    def header(self) -> Run:
        """As it was sealed; as the server has it where somebody changed what says so."""
        try:
            run = codec.run_of(loads(self.header_text))
        except codec.FOREIGN:  # reading the run goes by the bundle
            run = self.made.header()
        return replace(run, key=self.key, origin_uid=Uid(self.uid))

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[Chunk]:
        """All of the run: what is sent again is sent in full. Raises SourceChanged."""
        refuse_cursor(after, f"neptune:{self.project}/{self.sys_id}")
        with tempfile.TemporaryDirectory(prefix="runferry-neptune-") as folder:
            try:
                home = self._download(Path(folder))
            except Damaged as error:
                made = self.made.read(run)
                yield from instead(Path(folder) / "run", run, made, BUNDLE, error)
                return
            yield from exactly(home, run, partial(self.made.read, run), BUNDLE)

    def _download(self, scratch: Path) -> Path:
        """The bundle's folder, with the bytes in it that other attributes have."""
        where = f"neptune:{self.project}/{self.sys_id}"
        neptune = vendor.client()
        with vendor.in_our_words(where):
            remote = vendor.container_to_read(neptune, self.project, "run", self.sys_id)
            try:
                _extracted(remote[BUNDLE], scratch / "run", scratch, where)
                home = (_found(scratch / "run", PLACES) or scratch / "run" / PLACES).parent
                places = _places(home, where)
                sets: dict[str, Path] = {}
                for number, attribute in enumerate(sorted({a for a, m in places.values() if m})):
                    sets[attribute] = scratch / f"set-{number}"
                    _extracted(remote[attribute], sets[attribute], scratch, where)
                for staged, (attribute, member) in places.items():
                    target = home.joinpath(*_safe(staged, where).parts)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    if not member:
                        remote[attribute].download(str(target))
                    elif (found := _found(sets[attribute], member)) is not None:
                        shutil.copyfile(found, target)
            finally:
                remote.stop()
        return home


def own_served(project: str, sys_id: str, entry: Any, made: LocalRun) -> OwnServedRun | None:
    """A row of the table of a project's runs, `WORKSPACE/NAME`; None for what is not ours, or not
    sealed."""
    uid, header, is_sealed = (vendor.cell(entry, column) for column in OWN_COLUMNS)
    if is_sealed is True and isinstance(uid, str) and isinstance(header, str):
        return OwnServedRun(project, sys_id, uid, header, made)
    return None


def _extracted(attribute: Any, folder: Path, scratch: Path, where: str) -> None:
    """The files of a set, which comes as a ZIP. Raises Damaged for one that is not whole."""
    archive = scratch / "set.zip"
    attribute.download(str(archive))
    try:
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(folder)
    except UNREADABLE_ZIP as error:
        what = f"the bundle is not whole ({error})"
        raise Damaged(what, where=where, hint=_SEND_ANEW, offset=None) from error
    archive.unlink()


def _found(folder: Path, member: str) -> Path | None:
    """A file of a set; None if it is not there.

    The client names files from the folder in which it was called, if that is above them, as it is
    for `neptune sync` of our queue: so the set begins in a folder that is alone in another.
    """
    while (found := inside(folder, member)) is None:
        entries = list(folder.iterdir()) if folder.is_dir() else []
        if len(entries) != 1 or not entries[0].is_dir():
            return None
        folder = entries[0]
    return found


def _places(home: Path, where: str) -> dict[str, tuple[str, str]]:
    try:
        tree = json.loads((home / PLACES).read_bytes())
        return {str(k): (str(attribute), str(member)) for k, (attribute, member) in tree.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise Damaged(
            f"the bundle is not whole ({error})",
            where=where,
            hint=_SEND_ANEW,
            offset=None,
        ) from error


def _safe(staged: str, where: str) -> PurePosixPath:
    """A place below the run's folder. Raises Damaged for any other."""
    path = PurePosixPath(staged)
    if path.is_absolute() or ".." in path.parts or "\\" in staged or not path.parts:
        raise Damaged("the bundle names a place outside", where=f"{where} ({staged})", offset=None)
    return path
