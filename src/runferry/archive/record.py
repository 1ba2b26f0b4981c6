"""A run's commit record, and how it is spelled as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from sys import intern
from typing import Any, Final

from runferry.archive.layout import checked_segment, checked_uid
from runferry.dialects import codec
from runferry.errors import ArchiveError, Corrupt, NewerFormat
from runferry.losses import Fate, Loss
from runferry.model import Attribute, Fork, Run, RunKey, Tree, Uid
from runferry.tables import from_json, to_json

COMMIT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Segment:
    """One immutable data file of a run."""

    table: str  # points, texts, …
    number: int
    path: str  # below the archive, with "/"
    rows: int
    size: int
    sha256: str


_SEGMENT_FIELDS = tuple(spec.name for spec in fields(Segment))


@dataclass(frozen=True, slots=True)
class Sum:
    """The content of one row table so far: how many rows, and the sum of their hashes."""

    rows: int = 0
    hash: str = ""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run's commit record: the run exists in the archive exactly when this does."""

    run: Run
    attributes: tuple[Attribute, ...]
    losses: tuple[Loss, ...]
    segments: tuple[Segment, ...]
    position: Tree  # the reader's cursor
    generation: int  # 1, 2, … : one more for each commit
    digest: str  # of all content: equal for equal runs, however they were pulled
    has_cursor: bool = False  # the reader gave a position, which may itself be null
    token: str = ""  # of the push that made this commit, by which it knows its own work again
    media: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Media by type: how many, and how many of them without their bytes."""
    sums: Mapping[str, Sum] = field(default_factory=dict)
    inline: Mapping[str, tuple[Mapping[str, Any], ...]] = field(default_factory=dict)
    """Rows of small snapshot tables; the larger ones are segments."""

    def of(self, table: str) -> tuple[Segment, ...]:
        """The segments of one table, in order."""
        return tuple(segment for segment in self.segments if segment.table == table)


@dataclass(frozen=True, slots=True)
class DamagedRun:
    """A run that is in the archive, and whose commit record cannot be read."""

    uid: Uid
    error: ArchiveError

    @property
    def stand_in(self) -> Run:
        """A header in place of the one that nobody can read."""
        return Run(RunKey("archive", "damaged", self.uid), name="(damaged)")


_OF_ITS_OWN = ("key", "tags", "labels", "forked_from")
_RUN_FIELDS = tuple(
    (spec.name, spec.default) for spec in fields(Run) if spec.name not in _OF_ITS_OWN
)


_SHARED_FIELDS: Final = frozenset(
    {
        *("client", "entity", "group", "host", "job_type", "kind"),
        *("project", "state", "status", "sweep", "user"),
    }
)
"""What many runs have in common: their texts are kept once, since a push holds all headers."""


def run_to_json(run: Run) -> dict[str, Any]:
    """A header as JSON; fields at their defaults are left out."""
    plain = {
        name: value if isinstance(value, int) else to_json(value)
        for name, default in _RUN_FIELDS
        if (value := getattr(run, name)) != default
    }
    plain["key"] = to_json([run.key.tracker, run.key.scope, run.key.run_id])
    if run.tags:
        plain["tags"] = to_json(list(run.tags))
    if run.labels:
        plain["labels"] = to_json(dict(run.labels))
    if run.forked_from is not None:
        plain["forked_from"] = to_json(asdict(run.forked_from))
    return plain


def run_from_json(spelled: Mapping[str, Any]) -> Run:
    """The inverse of `run_to_json`; fields that a later version added are ignored.

    Raises KeyError, TypeError, ValueError for another shape.
    """
    known = {spec.name for spec in fields(Run)}
    values: dict[str, Any] = {
        name: from_json(value) for name, value in spelled.items() if name in known
    }
    for name in _SHARED_FIELDS & values.keys():
        if isinstance(values[name], str):
            values[name] = intern(values[name])
    tracker, scope, run_id = values["key"]
    values["key"] = codec.typed(RunKey(intern(tracker), intern(scope), run_id))
    if "forked_from" in values:
        values["forked_from"] = Fork(**values["forked_from"])
    if "tags" in values:
        values["tags"] = codec.texts(values["tags"])
    if "labels" in values:
        values["labels"] = codec.labels_of(values["labels"].items())
    return codec.typed(Run(**values))


def attribute_to_json(attribute: Attribute) -> list[Any]:
    """role, path, value."""
    spelled = [attribute.role, to_json(list(attribute.path)), to_json(attribute.value)]
    return spelled if attribute.name is None else [*spelled, to_json(attribute.name)]


def attribute_from_json(spelled: list[Any]) -> Attribute:
    """The inverse of `attribute_to_json`. Raises TypeError, ValueError for another shape."""
    stated: Any = from_json(spelled)
    role, path, value, *name = stated
    return Attribute(codec.texts(path), role, value, name[0] if name else None)


def loss_to_json(loss: Loss) -> list[Any]:
    """code, fate, where, count, detail."""
    return [loss.code, loss.fate.label, loss.where, loss.count, loss.detail]


def loss_from_json(spelled: list[Any]) -> Loss:
    """The inverse of `loss_to_json`."""
    code, fate, where, count, detail = spelled
    return Loss(code, Fate.parse(fate), where, count, detail)


def record_to_bytes(record: RunRecord) -> bytes:
    """The commit file's content."""
    spelled = {
        "commit_version": COMMIT_VERSION,
        "uid": record.run.uid,
        "generation": record.generation,
        "digest": record.digest,
        "run": run_to_json(record.run),
        "attributes": [attribute_to_json(item) for item in record.attributes],
        "losses": [loss_to_json(loss) for loss in record.losses],
        "segments": [
            {name: getattr(segment, name) for name in _SEGMENT_FIELDS}
            for segment in record.segments
        ],
        "cursor": [to_json(record.position)] if record.has_cursor else [],
        "token": record.token,
        "media": {media_type: list(counts) for media_type, counts in record.media.items()},
        "sums": {table: [total.rows, total.hash] for table, total in record.sums.items()},
        "tables": {table: list(rows) for table, rows in record.inline.items()},
    }
    return (json.dumps(spelled, ensure_ascii=True, separators=(",", ":")) + "\n").encode()


def record_from_bytes(content: bytes, uid: Uid, where: str) -> RunRecord:
    """The inverse of `record_to_bytes`. Raises Corrupt and NewerFormat."""
    try:
        spelled = json.loads(content)
        version = spelled["commit_version"]
        if version > COMMIT_VERSION:
            raise NewerFormat(
                f"commit version {version}; this runferry knows {COMMIT_VERSION}",
                where=where,
                hint="pip install -U runferry",
            )
        return _record(spelled, uid, where)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Corrupt(
            f"the commit record cannot be read ({type(error).__name__}: {error})",
            where=where,
            hint="remove this file and pull the run again",
        ) from error


def _record(spelled: Mapping[str, Any], uid: Uid, where: str) -> RunRecord:
    run = run_from_json(spelled["run"])
    if checked_uid(spelled["uid"], where) != uid or run.uid != uid:
        raise Corrupt("the commit record is that of another run", where=where)
    segments = tuple(Segment(**segment) for segment in spelled["segments"])
    for segment in segments:
        checked_segment(segment.path, uid, where)
    cursor, media = spelled["cursor"], spelled["media"]
    return RunRecord(
        run=run,
        attributes=tuple(attribute_from_json(item) for item in spelled["attributes"]),
        losses=tuple(loss_from_json(loss) for loss in spelled["losses"]),
        segments=segments,
        position=from_json(cursor[0]) if cursor else None,
        has_cursor=bool(cursor),
        generation=spelled["generation"],
        digest=spelled["digest"],
        token=spelled["token"],
        media={media_type: (rows, missing) for media_type, (rows, missing) in media.items()},
        sums={table: Sum(*total) for table, total in spelled["sums"].items()},
        inline={table: tuple(rows) for table, rows in spelled["tables"].items()},
    )
