"""What the first and last bytes of a run's records tell: which run it is, and how it ended."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runferry import _native
from runferry.dialects.wandb.own_files import Mark
from runferry.errors import SourceError, UnknownVersion
from runferry.losses import Fate, Loss
from runferry.paths import spelled
from runferry.readers.lfs import POINTER, lfs_loss
from runferry.readers.wandb.facts import Facts
from runferry.readers.wandb.folders import RUN_FOLDER, Place
from runferry.readers.wandb.loose import loose_json
from runferry.readers.wandb.own import mark_in

MAGIC = b":W&B\xe1\xbe"
KNOWN_VERSION = 0
_BLOCK = 32_768
_HEAD_AT_MOST = 1 << 20  # bytes that are searched for the run record


@dataclass(frozen=True, slots=True)
class Head:
    """One place, and what is known of its run without reading it."""

    place: Place
    facts: Facts
    run_id: str
    project: str
    start_ns: int
    is_resumed: bool
    is_shared: bool
    unusable: Loss | None = None  # why `place.database` is no database
    failure: SourceError | None = None  # why reading it is refused
    ending: dict[str, Any] | None = None  # the exit record, if it is near the end
    mark: Mark | None = None  # whose run it is, if we wrote it

    @property
    def content(self) -> Path | None:
        """The file that makes this run what it is."""
        if self.place.history is not None:
            return self.place.history
        return None if self.unusable is not None else self.place.database

    @property
    def is_nameless(self) -> bool:
        """Whether its database does not say which run it is: one that grows does not at first."""
        is_readable = self.place.history is None and self.failure is None
        return is_readable and self.place.database is not None and not self.facts.text("run_id")


def head_of(place: Place) -> Head:
    """Looks at both ends of the records. Never raises: what is wrong is in the head."""
    try:
        return _head_of(place)
    except OSError as error:
        failure = _closed(place, str(error.strerror))
    except Exception as error:  # noqa: BLE001  one place must not keep all others from being read
        failure = SourceError(
            f"cannot be understood: {type(error).__name__}: {error}",
            where=str(place.folder),
            hint="report this, with the files if you can",
        )
        failure.__cause__ = error
    return _head(place, Facts(), failure=failure)


def _head_of(place: Place) -> Head:
    facts = Facts()
    if place.history is not None or (place.database is None and place.files is not None):
        unusable = None
        if place.history is None:
            detail = "the folder has files of a run, and no records"
            unusable = Loss("missing-database", Fate.DROPPED, place.folder.name, 1, detail)
        _take_metadata(place, facts)
        return _head(place, facts, unusable=unusable)
    if place.database is None:
        return _head(place, facts, failure=_closed(place, "Permission denied"))
    start, size = _start(place.database)
    unusable = _judged(place.database.name, start, size)
    if unusable is not None:
        _take_metadata(place, facts)
        return _head(place, facts, unusable=unusable)
    if start[len(MAGIC)] != KNOWN_VERSION:
        return _head(place, facts, failure=_other_version(place.database, start[len(MAGIC)]))
    record, mark = _beginning(place.database)
    facts.absorb("run", record)
    if not record:
        _take_metadata(place, facts)
    features = (record.get("telemetry") or {}).get("feature") or {}
    return _head(
        place,
        facts,
        is_shared=bool(features.get("shared_mode")),
        ending=_exit_record(place.database, size),
        mark=mark,
    )


def _head(
    place: Place,
    facts: Facts,
    *,
    is_shared: bool = False,
    unusable: Loss | None = None,
    failure: SourceError | None = None,
    ending: dict[str, Any] | None = None,
    mark: Mark | None = None,
) -> Head:
    started = facts.state.get("start_ns")
    return Head(
        place,
        facts,
        facts.text("run_id") or place.run_id,
        facts.text("project") or "",
        started if isinstance(started, int) else _folder_time_ns(place),
        bool(facts.state.get("resumed") or facts.state.get("resume")),
        is_shared,
        unusable,
        failure,
        ending,
        mark,
    )


def _take_metadata(place: Place, facts: Facts) -> None:
    found = loose_json(place.files / "wandb-metadata.json") if place.files is not None else None
    if isinstance(found, dict):
        facts.metadata(found, is_authority=place.history is not None)


def _closed(place: Place, why: str) -> SourceError:
    path = place.database or place.folder
    folder = shlex.quote(spelled(str(path.parent)))
    return SourceError(f"cannot be read: {why}", where=str(path), hint=f"chmod -R u+rX {folder}")


def _other_version(database: Path, version: int) -> UnknownVersion:
    told = f"format version {version} of W&B databases is not known; version {KNOWN_VERSION} is"
    return UnknownVersion(told, where=str(database), hint="pip install --upgrade runferry")


def _start(database: Path) -> tuple[bytes, int]:
    with database.open("rb", buffering=0) as stream:
        return stream.read(len(POINTER)), stream.seek(0, 2)


def _judged(name: str, start: bytes, size: int) -> Loss | None:
    """What stands under the name of a database, when it is none."""
    if len(start) < len(MAGIC) + 1 and MAGIC.startswith(start[: len(MAGIC)]):
        detail = f"a file of {size} bytes: cut, or nothing was written to it yet"
        return Loss("empty-database", Fate.KEPT, name, 1, detail)
    if start.startswith(POINTER):
        return lfs_loss(name)
    if not start.startswith(MAGIC):
        detail = "this is no W&B database: it does not begin with `:W&B`"
        return Loss("not-a-database", Fate.DROPPED, name, size, detail)
    return None


def _beginning(database: Path) -> tuple[dict[str, Any], Mark | None]:
    """The first run record, empty if none comes early, as after a damaged start; and our mark."""
    mark: Mark | None = None
    scanner = _native.WandbScanner(str(database), rows=1)
    while scanner.offset < _HEAD_AT_MOST and (batch := scanner.next()) is not None:
        for kind, _, message in batch.records:
            if kind == "run":
                return message, mark
            if kind == "footer" and mark is None:
                mark = mark_in(message)
    return {}, mark


def _exit_record(database: Path, size: int) -> dict[str, Any] | None:
    """The exit record, if it is in one of the last two blocks.

    A scan that begins inside a record passes over the rest of it. Where blocks begin is known only
    to a scan from the start, so both ways of counting them are tried.
    """
    for origin in (0, 7):
        start = (size - origin) // _BLOCK * _BLOCK - _BLOCK + origin
        scanner = _native.WandbScanner(
            str(database), offset=max(start, 0), origin=origin if start > 0 else -1
        )
        while (batch := scanner.next()) is not None:
            for kind, _, message in batch.records:
                if kind == "exit":
                    return message
        if start <= 0:
            break
    return None


def _folder_time_ns(place: Place) -> int:
    """The time in the folder's name, which is local time of a zone that nobody wrote down."""
    named = RUN_FOLDER.fullmatch(place.folder.name)
    if named is None:
        return 0
    try:
        when = datetime.strptime(named[1], "%Y%m%d_%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return 0
    return int(when.timestamp()) * 1_000_000_000
