"""What runferry notes of the run that it made for Aim, to see whether it still stands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from runferry.dialects.aim.places import PARTS, chunk_at, is_hash
from runferry.dialects.plain_folder.notes import reading_note

LOGGED: Final = "logged.json"
"""In the folder of an exact run."""

Stamps = dict[str, dict[str, int]]
"""Files of a run's databases and their sizes."""
_IDENTITY: Final = "IDENTITY"
"""What RocksDB calls a database by, from its making on and whoever writes to it."""


@dataclass(frozen=True, slots=True)
class Stated:
    """What Aim's database was told of a run; users change it in Aim's pages."""

    name: str | None
    description: str | None
    experiment: str | None
    tags: tuple[str, ...] = ()
    archived: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Logged:
    """Which run it is. Whoever opens it to log more begins new files, so that shows."""

    run_hash: str
    stamps: Stamps
    identities: dict[str, str]
    stated: Stated

    def text(self) -> str:
        """As `logged.json`."""
        return json.dumps(asdict(self), indent=2)

    def has_database(self, home: Path) -> bool:
        """Whether one of those that it tells of is in the repository, whoever wrote to it since."""
        found = identities_of(home, self.run_hash)
        return any(found.get(part) == self.identities[part] for part in PARTS)

    def stands(self, home: Path) -> bool:
        """Whether its databases are in the repository as they were written."""
        return self.stamps == stamps_of(home, self.run_hash)

    def is_logged_on_to(self, home: Path) -> bool:
        """Whether somebody wrote to what we made; others stand there where we were killed."""
        stamps, identities = stamps_of(home, self.run_hash), identities_of(home, self.run_hash)
        return any(
            identities.get(part) == self.identities[part] and stamps[part] != self.stamps[part]
            for part in PARTS
        )


def stamps_of(home: Path, run_hash: str) -> Stamps:
    """The files of a run in the repository `home`.

    Left out are what RocksDB says of itself, its lock, and logs with nothing in them.
    """
    found: Stamps = {}
    for part in PARTS:
        files = found[part] = {}
        chunk = chunk_at(home, part, run_hash)
        with suppress(FileNotFoundError):  # somebody logs to the run, or takes it away, just now
            files.update(_sizes(chunk))
    return found


def identities_of(home: Path, run_hash: str) -> dict[str, str]:
    """What each of a run's databases is called by, as far as they are there."""
    found = {}
    for part in PARTS:
        with suppress(FileNotFoundError):
            words = (chunk_at(home, part, run_hash) / _IDENTITY).read_text("utf-8", "replace")
            found[part] = words.strip()
    return found


def _sizes(chunk: Path) -> Iterator[tuple[str, int]]:
    for path in chunk.iterdir():
        size = path.stat().st_size
        is_empty_log = path.suffix == ".log" and not size
        if not (path.name.startswith("LOG") or path.name == "LOCK" or is_empty_log):
            yield path.name, size


def logged_of(folder: Path) -> Logged:
    """What `logged.json` in a run's folder says. Raises FileNotFoundError, Damaged."""
    path = folder / LOGGED
    with reading_note(path):
        return logged_in(json.loads(path.read_bytes()))


def logged_in(tree: dict[str, Any]) -> Logged:
    """The inverse of `asdict`. Raises what `reading_note` catches."""
    stamps = {
        part: {str(name): int(size) for name, size in tree["stamps"][part].items()}
        for part in PARTS
    }
    run_hash = str(tree["run_hash"])
    if not is_hash(run_hash):
        raise ValueError(f"no hash of a run: {run_hash!r}")
    identities = {part: str(tree["identities"][part]) for part in PARTS}
    return Logged(run_hash, stamps, identities, _stated_of(tree["stated"]))


def _stated_of(tree: dict[str, object]) -> Stated:
    name, description, experiment = (
        None if (word := tree[field]) is None else str(word)
        for field in ("name", "description", "experiment")
    )
    tags, notes = tree["tags"], tree["notes"]
    if not isinstance(tags, list) or not isinstance(notes, list):
        raise TypeError("tags and notes are lists")
    words = tuple(map(str, tags)), tuple(map(str, notes))
    return Stated(name, description, experiment, words[0], bool(tree["archived"]), words[1])
