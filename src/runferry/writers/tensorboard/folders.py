"""Which folder below the logdir is which run's: found by its mark, named readably, inside."""

from __future__ import annotations

import logging
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Final

from runferry.dialects.tensorboard.names import BLOBS, DRAFT_FOLDER, PROFILE
from runferry.dialects.tensorboard.own_files import (
    Mark,
    file_name,
    is_own_name,
    is_sealed,
    mark_of,
    uid_in_name,
)
from runferry.errors import Conflict, RunMissing
from runferry.model import Run, Uid
from runferry.ports import RemoteId
from runferry.writers.disk import disk_errors
from runferry.writers.tensorboard import replacement
from runferry.writers.tensorboard.beginnings import begin_file

_log = logging.getLogger(__name__)

_UNSAFE: Final = re.compile(r'[\x00-\x1f\x7f<>:"\\|?*]|[^\w\s!#$%&\'()+,\-./;=@\[\]^`{}~]')
_DEVICE: Final = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d|conin\$|conout\$)\s*(\..*)?")
_MAX_NAME: Final = 120  # bytes; with the event file's name it fits into what Windows takes
_MEANT: Final = (BLOBS, *PROFILE)
"""What a folder that is called so holds is no run."""
_SURELY_DEAD_SECONDS: Final = 3600.0


class RunFolders:
    """The runs of ours below one folder. A run's remote id is its folder, below it, with `/`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._places: dict[Uid, RemoteId] = {}
        self._branches: dict[str, set[str]] = {}
        """By folder that has sub-folders: those that were looked into."""
        self._is_cleared = False

    def find(self, uid: Uid) -> RemoteId | None:
        """The folder that carries this mark. What was found before is looked at once more."""
        known = self._places.get(uid)
        if known is not None and self._is_at(uid, known):
            return known
        self._places.update(self._news())
        found = self._places.get(uid)
        if found is not None and not self._is_at(uid, found):
            self._places.clear()  # something was moved: look at everything
            self._branches.clear()
            return dict(self._walk("")).get(uid)
        return found

    def sealed(self) -> dict[Uid, RemoteId]:
        """All complete runs, from one walk."""
        self._places.clear()
        self._branches.clear()
        return {uid: remote for uid, remote in self._walk("") if self._is_sealed_at(uid, remote)}

    def published(self, remote: RemoteId) -> Path | None:
        """The marked event file that TensorBoard sees: the last one, which has replaced others."""
        return next((path for path in reversed(self._own_files(remote)) if mark_of(path)), None)

    def make(self, run: Run, uid: Uid) -> RemoteId:
        """A folder with the beginnings of its event file, which appears whole or not at all.

        Where another push is at the same run, theirs if it was first.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        self._clear_drafts()
        draft = self.root / f"{DRAFT_FOLDER}{uid}-{secrets.token_hex(6)}"  # of this attempt alone
        draft.mkdir()
        try:
            begin_file(draft / file_name(run, uid), Mark(uid, run))
            place = next((it for it in _places(run, uid) if self._publish(draft, it, uid)), None)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        if place is None:
            raise Conflict(
                "folders stand wherever this run could go",
                where=str(self.root),
                hint=f"ls -d '{self.root}'/*{uid[:8]}*",
            )
        self._places[uid] = RemoteId(place)
        return RemoteId(place)

    def _publish(self, draft: Path, place: str, uid: Uid) -> bool:
        """Whether this run stands at a place by now; False where something else does."""
        target = self.root.joinpath(*place.split("/"))
        try:
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                draft.rename(target)
                return True
        except (FileExistsError, NotADirectoryError):
            pass
        except OSError:
            if not target.exists():
                raise
        return self._is_at(uid, RemoteId(place))

    def _clear_drafts(self) -> None:
        """Away with what attempts that were killed have left, once; others may be at work."""
        if self._is_cleared:
            return
        self._is_cleared = True
        for draft in self.root.glob(f"{DRAFT_FOLDER}*"):
            with suppress(OSError):
                if time.time() - draft.stat().st_mtime > _SURELY_DEAD_SECONDS:
                    shutil.rmtree(draft, ignore_errors=True)

    def remove(self, remote: RemoteId) -> None:
        """Our event file first, then our bytes, then the folder if nothing else is in it."""
        folder = self.folder(remote)
        for path in self._own_files(remote):
            path.unlink()
        replacement.clear(folder)
        shutil.rmtree(folder / BLOBS, ignore_errors=True)
        while folder != self.root:
            try:
                folder.rmdir()
            except OSError:
                break
            folder = folder.parent
        self._places = {uid: place for uid, place in self._places.items() if place != remote}

    def folder(self, remote: RemoteId) -> Path:
        """A run's folder, never one outside."""
        if not _is_below(remote):
            raise RunMissing("no such run", where=remote, hint=f"ls '{self.root}'")
        return self.root.joinpath(*remote.split("/"))

    def names(self, remote: RemoteId) -> list[Path]:
        """The folders in which names stand that must last, for the run to be found again."""
        folder = self.folder(remote)
        found = [folder]
        while folder != self.root.parent:
            folder = folder.parent
            found.append(folder)
        return found

    # --- looking ----------------------------------------------------------------------------------

    def _is_at(self, uid: Uid, remote: RemoteId) -> bool:
        """Raises Refused where that cannot be looked up: it may be there all the same."""
        with disk_errors(self.folder(remote)):
            return any(_is_of(uid, path) for path in self._own_files(remote))

    def _is_sealed_at(self, uid: Uid, remote: RemoteId) -> bool:
        """A file that does not open is complete to nobody; what is sent to it says why."""
        try:
            return any(is_sealed(path) for path in self._own_files(remote) if _uid(path) == uid)
        except OSError:
            return False

    def _own_files(self, remote: RemoteId) -> list[Path]:
        return replacement.own_files(self.folder(remote))

    def _walk(self, below: str) -> Iterator[tuple[Uid, RemoteId]]:
        """Every run at and below a folder; remembers them, and where it has been."""
        folders, is_empty = [], True
        with _entries(self.root, below) as entries:
            for entry in entries:
                is_empty = False
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.name)
                elif below and is_own_name(entry.name):
                    uid = _uid_or_named(Path(entry.path))
                    if uid is not None:
                        self._places[uid] = RemoteId(below)
                        yield uid, RemoteId(below)
        above, _, name = below.rpartition("/")
        if below and not is_empty:  # an empty one may be about to be filled
            self._branches.setdefault(above, set()).add(name)
        for inner in sorted(filter(_may_hold_runs, folders)):
            yield from self._walk(f"{below}/{inner}" if below else inner)

    def _news(self) -> Iterator[tuple[Uid, RemoteId]]:
        """The runs in folders that were not looked into before."""
        for branch in sorted(self._branches) or [""]:
            with _entries(self.root, branch) as entries:
                names = [e.name for e in entries if e.is_dir(follow_symlinks=False)]
            seen = self._branches.get(branch, set())
            for name in sorted(filter(_may_hold_runs, names)):
                if name not in seen:
                    yield from self._walk(f"{branch}/{name}" if branch else name)


@contextmanager
def _entries(root: Path, below: str) -> Iterator[Iterable[os.DirEntry[str]]]:
    """What a folder holds; nothing if it is gone, or closed to us, which is said."""
    try:
        found = os.scandir(root / below if below else root)
    except (FileNotFoundError, NotADirectoryError):
        yield ()
        return
    except OSError as error:
        _log.warning("%s was not looked into: %s", root / below, error.strerror)
        yield ()
        return
    with found:
        yield found


def _may_hold_runs(name: str) -> bool:
    return name != BLOBS and not name.startswith(DRAFT_FOLDER)


def _uid(path: Path) -> Uid | None:
    mark = mark_of(path)
    return None if mark is None else mark.uid


def _is_of(uid: Uid, path: Path) -> bool:
    """Raises OSError for a file that does not open and is this run's by its name."""
    try:
        return _uid(path) == uid
    except OSError:
        if uid_in_name(path.name) == uid:
            raise
        return False


def _uid_or_named(path: Path) -> Uid | None:
    """Whose file it is; of one that does not open, by its name."""
    try:
        return _uid(path)
    except OSError as error:
        _log.warning("%s was not opened: %s", path, error.strerror or error)
        named = uid_in_name(path.name)
        return None if named is None else Uid(named)


def _places(run: Run, uid: Uid) -> Iterator[str]:
    """Where a run may stand: under its name, else with its mark behind it."""
    wished = run.name or run.key.run_id
    if _is_safe(wished):
        yield wished
    stem = _UNSAFE.sub("_", wished.replace("/", "_")).strip(". ")[:40]
    while len(stem.encode()) > 80:
        stem = stem[:-1]
    for mark in (uid[:8], uid):
        plain = f"{stem}-{mark}"
        yield plain if _is_safe(plain) else mark


def _is_below(remote: str) -> bool:
    """Whether an id is a path below the logdir: what the ledger says is data, too."""
    parts = PurePosixPath(remote.replace("\\", "/")).parts
    is_path = remote == "/".join(parts) and not PureWindowsPath(remote).drive
    return is_path and bool(parts) and parts[0] != "/" and ".." not in parts and "\0" not in remote


def _is_safe(name: str) -> bool:
    """Whether a name is a relative path that every system takes as it is."""
    return 0 < len(name.encode("utf-8", "surrogatepass")) <= _MAX_NAME and all(
        map(_is_safe_part, name.split("/"))
    )


def _is_safe_part(part: str) -> bool:
    return (
        part.casefold() not in ("", *_MEANT)
        and part == part.strip()
        and not part.startswith((".", "-", "~"))
        and not part.endswith(".")
        and _UNSAFE.search(part) is None
        and _DEVICE.fullmatch(part) is None
        and part.isprintable()
    )
