"""The file that makes a folder an archive: its format and version."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from runferry.archive.durable import disk_errors
from runferry.archive.layout import (
    BESIDE,
    FORMAT_NAME,
    FORMAT_VERSION,
    HOME,
    MANIFEST,
    new_attempt,
)
from runferry.durable import sync, write_atomically
from runferry.errors import Corrupt, NewerFormat, NotFound, OlderFormat
from runferry.model import Uid


def may_be_founded(path: Path) -> bool:
    """Whether a folder is an archive, or has nothing in it that is not an archive's.

    A creation that was cut short leaves a scratch file; so does one that is under way beside us.
    """
    scratch = f".{MANIFEST}."
    names = {entry.name for entry in own_entries(path)}  # first: the other one may end in between
    return (path / MANIFEST).is_file() or all(name.startswith(scratch) for name in names)


def found(path: Path) -> None:
    """Make a new or empty folder an archive. Raises NotFound when it holds something else."""
    if (path / MANIFEST).is_file():
        return
    if path.is_dir() and not may_be_founded(path):
        raise NotFound(
            "the folder holds something else than an archive",
            where=str(path),
            hint="name a new or empty folder",
        )
    with disk_errors(path):
        made = [place for place in (path, *path.parents) if not place.exists()]
        path.mkdir(parents=True, exist_ok=True)
        sync(place.parent for place in made)
        write(path / MANIFEST, Stated(FORMAT_VERSION))


def own_entries(path: Path) -> Iterator[Path]:
    """What lies in the folder of an archive, and is not what may stand beside it."""
    beside = BESIDE if path.name == HOME else frozenset[str]()
    return (entry for entry in path.iterdir() if entry.name not in beside)


@dataclass(frozen=True, slots=True)
class Left:
    """A run of an earlier version in an archive of a later one."""

    version: int
    commit: str
    """SHA-256 of its commit record in hex; a run with another one was written since."""

    def is_that(self, commit: bytes) -> bool:
        """Whether this is the record that was left."""
        return hashlib.sha256(commit).hexdigest() == self.commit


@dataclass(frozen=True, slots=True)
class Stated:
    """What a manifest says."""

    version: int
    is_under_way: bool = False
    """An upgrade to this version was begun, and has not ended."""
    left: Mapping[Uid, Left] = field(default_factory=dict)
    """Runs that upgrades could not read."""

    @property
    def came_from(self) -> int:
        """The version of the runs that were not upgraded yet."""
        return self.version - 1 if self.is_under_way else self.version

    @property
    def is_earlier(self) -> bool:
        """Whether there is anything to upgrade."""
        return self.came_from < FORMAT_VERSION


def read(manifest: Path) -> Stated:
    """Raises NewerFormat, Corrupt."""
    try:
        stated = json.loads(manifest.read_bytes())
        name, version = stated["format"], stated["version"]
        is_under_way = stated.get("upgrading", False)
        left = {Uid(uid): Left(*told) for uid, told in stated.get("left", {}).items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Corrupt("the archive's manifest cannot be read", where=str(manifest)) from error
    if name != FORMAT_NAME or not isinstance(version, int) or version < 1:
        raise Corrupt(f"the manifest is that of {name!r}, no archive of ours", where=str(manifest))
    if version > FORMAT_VERSION:
        raise NewerFormat(
            f"archive version {version}; this runferry knows {FORMAT_VERSION}",
            where=str(manifest),
            hint="pip install -U runferry",
        )
    return Stated(version, bool(is_under_way), left)


def checked(manifest: Path) -> Stated:
    """What it says of an archive of today.

    Raises NewerFormat, Corrupt, and OlderFormat for an archive that is not upgraded.
    """
    stated = read(manifest)
    if stated.is_earlier:
        what = f"archive version {stated.version}; this runferry reads {FORMAT_VERSION} alone"
        if stated.is_under_way:
            what = f"an upgrade of the archive to version {stated.version} has not ended"
        hint = f"runferry upgrade {shlex.quote(str(manifest.parent))}"
        raise OlderFormat(what, where=str(manifest), hint=hint)
    return stated


def write(manifest: Path, stated: Stated) -> None:
    """Replace it in one durable step."""
    spelled: dict[str, object] = {"format": FORMAT_NAME, "version": stated.version}
    if stated.is_under_way:
        spelled["upgrading"] = True
    if stated.left:
        spelled["left"] = {uid: [one.version, one.commit] for uid, one in stated.left.items()}
    content = (json.dumps(spelled) + "\n").encode()
    write_atomically(manifest, content, scratch=new_attempt())
