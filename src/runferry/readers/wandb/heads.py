"""What the first bytes of a run's records tell: which run it is, and when it began."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runferry import _native
from runferry.losses import Fate, Loss
from runferry.readers.wandb.attributes import loose_json
from runferry.readers.wandb.facts import Facts
from runferry.readers.wandb.folders import RUN_FOLDER, Place

MAGIC = b":W&B\xe1\xbe"
KNOWN_VERSION = 0
_LFS = b"version https://git-lfs"
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
    failure: str | None = None  # why reading it is refused

    @property
    def content(self) -> Path | None:
        """The file that makes this run what it is."""
        if self.place.history is not None:
            return self.place.history
        return None if self.unusable is not None else self.place.database


def head_of(place: Place) -> Head:
    """Looks at the start of the records. Never raises: what is wrong is in the head."""
    facts = Facts()
    failure, unusable, record = None, None, {}
    if place.database is not None and place.history is None:
        try:
            start, size = _start(place.database)
            unusable = _judged(place.database.name, start, size)
            if unusable is None:
                failure = _version_failure(start)
            if unusable is None and failure is None:
                record = _run_record(place.database)
        except OSError as error:
            failure = f"cannot be read: {error.strerror}"
    elif place.database is None and place.history is None:
        if place.files is None:
            failure = "cannot be read: Permission denied"
        detail = "the folder has files of a run, and no records"
        unusable = Loss("missing-database", Fate.DROPPED, place.folder.name, 1, detail)
    facts.absorb("run", record)
    features = (record.get("telemetry") or {}).get("feature") or {}
    if not record and place.files is not None:
        found = loose_json(place.files / "wandb-metadata.json")
        if isinstance(found, dict):
            facts.metadata(found, is_authority=place.history is not None)
    started = facts.state.get("start_ns")
    return Head(
        place,
        facts,
        facts.text("run_id") or place.run_id,
        facts.text("project") or "",
        started if isinstance(started, int) else _folder_time_ns(place),
        bool(facts.state.get("resumed") or facts.state.get("resume")),
        bool(features.get("shared_mode")),
        unusable,
        failure,
    )


def _start(database: Path) -> tuple[bytes, int]:
    with database.open("rb", buffering=0) as stream:
        return stream.read(len(_LFS)), stream.seek(0, 2)


def _judged(name: str, start: bytes, size: int) -> Loss | None:
    """What stands under the name of a database, when it is none."""
    if len(start) < len(MAGIC) + 1 and MAGIC.startswith(start[: len(MAGIC)]):
        detail = f"a file of {size} bytes: cut, or nothing was written to it yet"
        return Loss("empty-database", Fate.KEPT, name, 1, detail)
    if start.startswith(_LFS):
        detail = "a Git LFS pointer stands here, not the file itself; fetch it with: git lfs pull"
        return Loss("git-lfs-pointer", Fate.DROPPED, name, 1, detail)
    if not start.startswith(MAGIC):
        detail = "this is no W&B database: it does not begin with `:W&B`"
        return Loss("not-a-database", Fate.DROPPED, name, size, detail)
    return None


def _version_failure(start: bytes) -> str | None:
    version = start[len(MAGIC)]
    if version == KNOWN_VERSION:
        return None
    return f"format version {version} of W&B databases is not known; version {KNOWN_VERSION} is"


def _run_record(database: Path) -> dict[str, Any]:
    """The first run record; empty if none comes early, as after a damaged start."""
    scanner = _native.WandbScanner(str(database), rows=1)
    while scanner.offset < _HEAD_AT_MOST and (batch := scanner.next()) is not None:
        for kind, _, message in batch.records:
            if kind == "run":
                return message
    return {}


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
