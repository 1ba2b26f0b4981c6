"""The file that makes a folder an archive: its format and version."""

from __future__ import annotations

import json
from pathlib import Path

from runferry.archive.durable import disk_errors
from runferry.archive.layout import FORMAT_NAME, FORMAT_VERSION, MANIFEST, new_attempt
from runferry.durable import sync, write_atomically
from runferry.errors import ArchiveError, Corrupt, NewerFormat, NotFound


def found(path: Path) -> None:
    """Make a new or empty folder an archive. Raises NotFound when it holds something else."""
    # a creation that was cut short leaves a scratch file; one beside us may be done by now
    scratch = f".{MANIFEST}."
    names = {entry.name for entry in path.iterdir()} if path.is_dir() else set[str]()
    if (path / MANIFEST).is_file():
        return
    if not all(name.startswith(scratch) for name in names):
        raise NotFound(
            "the folder holds something else than an archive",
            where=str(path),
            hint="name a new or empty folder",
        )
    with disk_errors(path):
        made = [place for place in (path, *path.parents) if not place.exists()]
        path.mkdir(parents=True, exist_ok=True)
        sync(place.parent for place in made)
        manifest = {"format": FORMAT_NAME, "version": FORMAT_VERSION}
        content = (json.dumps(manifest) + "\n").encode()
        write_atomically(path / MANIFEST, content, scratch=new_attempt())


def check(manifest: Path) -> None:
    """Raises NewerFormat, Corrupt, and ArchiveError for an archive of an earlier version."""
    try:
        stated = json.loads(manifest.read_bytes())
        name, version = stated["format"], stated["version"]
    except (ValueError, KeyError, TypeError) as error:
        raise Corrupt("the archive's manifest cannot be read", where=str(manifest)) from error
    if name != FORMAT_NAME or not isinstance(version, int):
        raise Corrupt(f"the manifest is that of {name!r}, no archive of ours", where=str(manifest))
    if version > FORMAT_VERSION:
        raise NewerFormat(
            f"archive version {version}; this runferry knows {FORMAT_VERSION}",
            where=str(manifest),
            hint="pip install -U runferry",
        )
    if version < FORMAT_VERSION:
        raise ArchiveError(
            f"archive version {version}; this runferry knows {FORMAT_VERSION} alone",
            where=str(manifest),
            hint="pull the runs anew from their source: runferry pull SOURCE NEW_FOLDER",
        )
