"""The one model that every tracker's data is turned into: runs, attributes, series, blobs.

Pure: no disk, no network, and no pyarrow at import time. How it travels is in `runferry.chunks`.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, NewType, TypeAlias

if TYPE_CHECKING:
    from runferry.losses import Loss

Uid = NewType("Uid", str)
"""Our name of a run: 32 hex digits, a stable hash of its key. Safe as a file name anywhere."""

KeyPath: TypeAlias = tuple[str, ...]
"""A name as structure, never joined: `("train/loss",)` and `("train", "loss")` are two names."""

Tree: TypeAlias = (
    "bool | int | float | str | bytes | datetime | list[Tree] | dict[str, Tree] | None"
)
"""A typed value. Absent, null, empty and NaN are four different things; ints are of any size."""

Stream = Literal["user", "system"]
Role = Literal["config", "summary", "environment", "other"]
RunKind = Literal["run", "model", "model_version", "sweep", "documents"]
RunState = Literal["running", "finished", "failed", "killed", "unknown"]
DataKind = Literal["scalar", "text", "histogram", "media"]
MediaType = Literal[
    "image", "audio", "video", "table", "plot", "html", "object3d", "molecule", "file", "other"
]
Kind: TypeAlias = (
    Literal["scalar", "text", "histogram", "console", "artifact", "document", "raw"]
    | MediaType
    | Role
)
"""What a run may have: what a reader gives, and of what a destination says what becomes of it."""
KINDS: tuple[Kind, ...] = (
    "scalar", "text", "histogram",
    "image", "audio", "video", "table", "plot", "html", "object3d", "molecule", "file", "other",
    "config", "summary", "environment", "console", "artifact", "document", "raw",
)  # fmt: skip
FileRole = Literal["source", "requirements", "console", "checkpoint", "other"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_US = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_LAST_US = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)


def instant(time_ns: int) -> datetime:
    """Nanoseconds since the epoch as an aware UTC datetime, cut to microseconds.

    Beyond the years that a datetime has, the first or the last one.
    """
    return _EPOCH + timedelta(microseconds=min(max(time_ns // 1000, _FIRST_US), _LAST_US))


@dataclass(frozen=True, slots=True)
class RunKey:
    """What makes a run that run: tracker, the least scope in which its id is unique, and the id.

    Name, path, host, entity and the spelling of a URL are never part of it.
    """

    tracker: str
    scope: str
    run_id: str

    @property
    def uid(self) -> Uid:
        """The stable hash of the key."""
        return _uid_of(self)

    def __str__(self) -> str:
        return "/".join(part for part in (self.scope, self.run_id) if part)


@lru_cache(maxsize=1024)  # of the run that is worked on it is asked at every turn
def _uid_of(key: RunKey) -> Uid:
    spelled = json.dumps([key.tracker, key.scope, key.run_id], ensure_ascii=True)
    return Uid(hashlib.blake2b(spelled.encode(), digest_size=16).hexdigest())


@dataclass(frozen=True, slots=True)
class Fork:
    """The run (an id in the same scope) and the step that another run grew from."""

    run_id: str
    step: int | None = None
    kind: Literal["fork", "rewind", "resume"] = "fork"


@dataclass(frozen=True, slots=True)
class Run:
    """A run's header: what is known of it apart from what it logged. Times are UTC nanoseconds."""

    key: RunKey
    name: str | None = None
    project: str | None = None
    entity: str | None = None
    group: str | None = None
    kind: RunKind = "run"
    job_type: str | None = None
    parent: str | None = None  # run id, in the same scope, of the run this one is nested in
    forked_from: Fork | None = None
    sweep: str | None = None
    tags: tuple[str, ...] = ()  # a set, in the source's order
    labels: Mapping[str, str] = field(default_factory=dict)  # key-value tags
    notes: str | None = None
    user: str | None = None
    host: str | None = None
    source_url: str | None = None
    created_ns: int | None = None
    started_ns: int | None = None
    ended_ns: int | None = None
    status: str | None = None  # the source's own word
    state: RunState = "unknown"  # the same, normalised
    exit_code: int | None = None
    complete: bool = False  # the source said that it ended; an end of file does not prove it
    client: str | None = None  # what wrote it: "wandb 0.31.0"
    origin_uid: Uid | None = None  # set when this run came back out of a destination of ours

    @property
    def uid(self) -> Uid:
        """The stable hash of the key."""
        return self.key.uid

    @property
    def created(self) -> datetime | None:
        """`created_ns` as a datetime."""
        return None if self.created_ns is None else instant(self.created_ns)

    @property
    def started(self) -> datetime | None:
        """`started_ns` as a datetime."""
        return None if self.started_ns is None else instant(self.started_ns)

    @property
    def ended(self) -> datetime | None:
        """`ended_ns` as a datetime."""
        return None if self.ended_ns is None else instant(self.ended_ns)


@dataclass(frozen=True, slots=True)
class Attribute:
    """One typed value of a run. Mappings are split into paths; an empty mapping is a value."""

    path: KeyPath
    role: Role
    value: Tree
    name: str | None = None  # its name in the destination, set by push


@dataclass(frozen=True, slots=True)
class Series:
    """One logged series: `key` is unique in the run and readable, `path` is what the source had.

    The counts are filled in by the archive; a reader leaves them at their defaults.
    """

    key: str
    path: KeyPath
    stream: Stream = "user"
    kind: DataKind = "scalar"
    x_axis: str | None = None  # the key of a custom x axis
    goal: Literal["minimize", "maximize"] | None = None
    summary_rule: str | None = None  # the source's own words: "min", "max,last", "none"
    hidden: bool = False
    counts: SeriesCounts | None = None
    original_key: str | None = None  # set by push when the destination needs another key


@dataclass(frozen=True, slots=True)
class SeriesCounts:
    """What `plan` needs to know of a series without reading it. Times are UTC nanoseconds.

    For scalars all fields hold; for texts, histograms and media only those about rows and steps,
    and `longest` (characters of a text, bins of a histogram).
    """

    points: int = 0
    nan: int = 0
    positive_inf: int = 0
    negative_inf: int = 0
    null_values: int = 0
    inexact_ints: int = 0  # integers that float64 cannot hold
    not_float: int = 0  # values whose kind is not float64
    null_steps: int = 0
    fractional_steps: int = 0
    negative_steps: int = 0
    falling_steps: int = 0
    duplicate_steps: int = 0  # rows whose step was already seen in a neighbouring row
    null_times: int = 0
    submillisecond_times: int = 0
    first_step: int | None = None
    last_step: int | None = None
    min_step: int | None = None
    max_step: int | None = None
    min_time_ns: int | None = None
    max_time_ns: int | None = None
    min_value: float | None = None  # of the finite ones
    max_value: float | None = None
    longest: int = 0


@dataclass(frozen=True, slots=True)
class RowOrder:
    """What the addresses of a run's rows tell of their order, without a look at their values."""

    is_apart: bool
    """Whether steps alone tell all rows apart, and times those of the machine."""
    moved: int | None
    """Values in tables whose rows do not rise by step as they were logged, or share steps; None
    where they were too many to be looked at."""


class SeriesKeys:
    """Gives every (stream, path) of a run a key: unique, readable, and never changed again.

    A one-element path is its key verbatim, dots and slashes included; a nested path is joined by
    `.`. Who comes second to a key that is taken gets a suffix `~2`, `~3`, …: a growing run has
    already published the first, so first come is the only rule under which keys stay stable.
    """

    def __init__(self, known: tuple[Series, ...] = ()) -> None:
        self._keys: dict[tuple[Stream, KeyPath], str] = {(s.stream, s.path): s.key for s in known}
        self._taken = {series.key for series in known}

    def key(self, path: KeyPath, stream: Stream = "user") -> str:
        """The key of this path; the same one on every call."""
        known = self._keys.get((stream, path))
        if known is not None:
            return known
        plain = ".".join(path)
        key, copy = plain, 1
        while key in self._taken:
            copy += 1
            key = f"{plain}~{copy}"
        self._keys[(stream, path)] = key
        self._taken.add(key)
        return key


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes that belong to a run. `open` is None when the source names them but they are gone.

    `sha256` (hex) is known once the archive holds the bytes, or when the source states it.
    """

    size: int | None = None
    media_type: str | None = None
    sha256: str | None = None
    open: Callable[[], BinaryIO] | None = field(default=None, compare=False, repr=False)

    @property
    def is_missing(self) -> bool:
        """The source names these bytes, and they are not there."""
        return self.open is None

    @classmethod
    def from_path(cls, path: Path, media_type: str | None = None) -> Blob:
        """A file's bytes; missing if there is no such regular file."""
        if not path.is_file():
            return cls(media_type=media_type)
        return cls(path.stat().st_size, media_type, None, lambda: path.open("rb"))

    @classmethod
    def from_bytes(cls, content: bytes, media_type: str | None = None) -> Blob:
        """Bytes at hand."""
        digest = hashlib.sha256(content).hexdigest()
        return cls(len(content), media_type, digest, lambda: io.BytesIO(content))


@dataclass(frozen=True, slots=True)
class Address:
    """Where in a run a row stands. `seq` is the source row: the only total order there is."""

    seq: int
    step: int | None = None
    step_frac: int | None = None  # millionths above `step`, which is then the floor
    time_ns: int | None = None  # UTC nanoseconds since the epoch


@dataclass(frozen=True, slots=True)
class MediaItem:
    """One image, audio clip, table … of a series; several in one row differ by `index`."""

    key: str
    at: Address
    media_type: MediaType
    blob: Blob
    index: int = 0
    path: str | None = None  # the source's own path of the bytes
    caption: str | None = None
    metadata: Tree = None  # boxes, masks, width, sample rate, … as the source has them


@dataclass(frozen=True, slots=True)
class ArtifactEntry:
    """One member of an artifact: bytes (maybe missing), or a reference to somewhere else."""

    path: str
    blob: Blob = field(default_factory=Blob)
    reference: str | None = None
    digest: str | None = None  # as the source states it


@dataclass(frozen=True, slots=True)
class VersionFacts:
    """What `plan`, and the order of a push, need to know of a run's version of an artifact."""

    name: str
    type: str
    is_produced: bool = True
    version: str | None = None
    aliases: tuple[str, ...] = ()

    @property
    def number(self) -> int | None:
        """Which of its name's versions it is, where the source counts them: 3 for `v3`."""
        return version_number(self.version)


def version_number(version: str | None) -> int | None:
    """The number in `v3` or `3`; None for a version that is called otherwise."""
    digits = (version or "").removeprefix("v")
    return int(digits) if digits.isascii() and digits.isdigit() else None


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where an earlier read ended: the last `Checkpoint.position`, and the series known by then."""

    position: Tree
    series: tuple[Series, ...] = ()


@dataclass(frozen=True, slots=True)
class Inventory:
    """What `plan` needs to know of a run, without reading its rows."""

    run: Run
    attributes: tuple[Attribute, ...]
    series: tuple[Series, ...]
    rows: Mapping[str, int] = field(default_factory=dict)  # by kind, as in Limits.holds
    missing: Mapping[str, int] = field(default_factory=dict)  # blobs that are not there, by kind
    losses: tuple[Loss, ...] = ()  # what the reader reported
    mixed: Mapping[str, Mapping[DataKind, SeriesCounts]] = field(default_factory=dict)
    """By key: what a series holds of other kinds than its own."""
    files: tuple[str, ...] = ()  # their paths
    artifacts: tuple[VersionFacts, ...] = ()
    contested_aliases: int | None = None
    """Of their aliases those that what other runs bring may take; None where nobody looked at other
    runs: then it may be all."""
    left_out: tuple[Loss, ...] = ()  # what is not sent, by the user's choice or a default
    media_facts: Callable[[], Mapping[str, tuple[int, int]]] = field(default=dict, compare=False)
    """By key: how many media have a path of the source's, and how many have metadata.

    Their rows tell, so they are read when somebody asks.
    """

    row_order: Callable[[Collection[str], int], RowOrder] | None = field(
        default=None, compare=False
    )
    """Of the series with these keys, where times tell rows apart that differ by more than so many
    ns. Read when somebody asks; None where there are no rows to be read."""

    def kinds_of(self, series: Series) -> Iterator[tuple[DataKind, SeriesCounts]]:
        """Every kind of which a series has rows, its own first, and what was counted of them."""
        yield series.kind, series.counts or SeriesCounts()
        yield from self.mixed.get(series.key, {}).items()


def same_value(left: Tree, right: Tree) -> bool:
    """Equality that tells 1 from 1.0 and True, −0.0 from 0.0, and finds NaN equal to NaN."""
    if type(left) is not type(right):
        return False
    if isinstance(left, float) and isinstance(right, float):
        if math.isnan(left) or math.isnan(right):
            return math.isnan(left) and math.isnan(right)
        return left == right and math.copysign(1.0, left) == math.copysign(1.0, right)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same_value, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same_value(left[k], right[k]) for k in left)
    return left == right
