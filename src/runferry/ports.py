"""What a reader is, what a writer is, and what a destination can hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from pathlib import Path
from typing import ClassVar, Literal, NewType, Protocol, Self, runtime_checkable

from runferry.chunks import Chunk
from runferry.losses import Fate
from runferry.model import Cursor, Kind, Run, Uid

RemoteId = NewType("RemoteId", str)
"""A run's name in a destination, as that destination spells it."""

BATCH_ROWS = 65_536
"""No chunk has more rows than this."""


@dataclass(frozen=True, slots=True)
class Location:
    """A place: the tracker's name and what stands behind the colon (`mlflow:sqlite:///runs.db`).

    `where` may hold credentials; `str()` and `repr()` never show them.
    """

    tracker: str
    where: str

    @property
    def path(self) -> Path:
        """`where` as a path of this machine."""
        return Path(self.where).expanduser()

    def __str__(self) -> str:
        from runferry.redact import without_credentials

        return f"{self.tracker}:{without_credentials(self.where, is_location=True)}"

    def __repr__(self) -> str:
        return f"Location({str(self)!r})"


@dataclass(frozen=True, slots=True)
class TableColumns:
    """What the columns of a table mean; None where the user did not say."""

    step: str | None = None
    time: str | None = None
    run: str | None = None  # whose value tells the runs of one table apart


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What a reader cannot know by itself."""

    timezone: tzinfo = UTC  # for a source's naive times
    include_deleted: bool = False
    columns: TableColumns = TableColumns()  # of a CSV, Parquet or JSON-lines table
    is_growing: bool = False
    """Whoever reads comes again: what may belong to rows that are still to come is for later."""


@runtime_checkable
class Reader(Protocol):
    """Turns one source into runs and chunks. Holds nothing that grows with the size of a run.

    A reader is used by one thread at a time; pull opens one for each worker, or asks the first one
    for it (`SharingReader`).
    """

    name: ClassVar[str]
    gives: ClassVar[frozenset[Kind]]
    """What runs of this tracker may have. Those that runferry wrote there come back with all that
    the destination kept, whatever is said here."""

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Whether this existing file or folder is ours. Cheap: a name and a few bytes decide."""
        ...

    @classmethod
    def open(cls, where: Location, options: ReadOptions) -> Self:
        """Raises NotFound, UnknownVersion, AuthFailed, Unreachable."""
        ...

    def runs(self) -> Iterator[Run]:
        """Headers only, cheap, in a stable order, each key once."""
        ...

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[Chunk]:
        """The run's chunks, in source order, the consumer setting the pace.

        A series is declared by SeriesFacts before its first row. Ends with a Header that states
        the ending and a Checkpoint, when the source can be continued from. With `after`, only what
        came since; raises SourceChanged when the cursor does not fit what is there.
        """
        ...

    def close(self) -> None:
        """Let go of files and connections; harmless when repeated."""
        ...


@runtime_checkable
class SharingReader(Reader, Protocol):
    """A reader that spares others of the same place the search for its runs."""

    def beside(self) -> Self:
        """Another reader for another thread, which knows the runs that this one finds."""
        ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which runs somebody asks for; empty fields ask for all. Names are globs, any of them fits."""

    projects: tuple[str, ...] = ()
    run_ids: tuple[str, ...] = ()  # or uids
    tags: tuple[str, ...] = ()
    since_ns: int | None = None  # when the run began: included
    until_ns: int | None = None  # excluded
    shows_begin: bool = False  # whether somebody looks at when runs began, and not only at runs


@runtime_checkable
class ChoosingReader(Reader, Protocol):
    """A reader that can leave out runs that nobody asks for before it has looked at them."""

    def runs_of(self, wanted: Wanted) -> Iterator[Run]:
        """As `runs`, at least those that are wanted: others may come too."""
        ...


@runtime_checkable
class CountingReader(Reader, Protocol):
    """A reader whose source says how many runs it has before all of them are listed."""

    @property
    def expected(self) -> int | None:
        """How many runs the listing that was begun will give; None where nobody knows."""
        ...


@runtime_checkable
class ProjectsReader(Reader, Protocol):
    """A reader of a service that keeps runs in projects, and can list these alone."""

    def projects(self) -> Iterator[str]:
        """Names of the projects at this place. Raises NotFound where there is none."""
        ...


class RunReader(Protocol):
    """Reads one run, or any."""

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[Chunk]:
        """As `Reader.read`."""
        ...


@runtime_checkable
class PortableReader(Reader, Protocol):
    """A reader whose work can be done by other processes, which need not look for the runs."""

    def alone(self, run: Run) -> RunReader:
        """What reads this run and no other: small, and made to be pickled."""
        ...


@dataclass(frozen=True, slots=True)
class Progress:
    """What a destination says it holds of a run: chunks by number, where it can tell."""

    chunks: int | None = None  # of the sending that is under way, else of the sealed one
    is_sealed: bool = False
    was_sealed: bool = False  # complete once, until more of it began to arrive
    claim: str | None = None  # what the last `claim` said; None when a seal ended it
    has_others_rows: bool = False  # somebody logged on to it, and what is written anew lacks that


@dataclass(frozen=True, slots=True)
class KeyRule:
    """Which names a destination takes. Names that break the rule are rewritten injectively."""

    max_length: int = 2**31
    allowed: str | None = None  # a regular expression for one character; None: any
    forbidden: tuple[str, ...] = ()  # substrings: "//", ".."
    reserved: tuple[str, ...] = ()  # whole names that are taken
    reserved_prefixes: tuple[str, ...] = ()
    reserved_suffixes: tuple[str, ...] = ()
    ignores_case: bool = False  # two names that differ by case only collide
    must_be_path: bool = False  # names are relative POSIX paths: no leading "/", no "." part
    prefix_free: bool = False  # "a" and "a/b" cannot both exist


@dataclass(frozen=True, slots=True)
class Limits:
    """What a destination can hold: data, not code. `plan` is a pure function of this.

    Each Fate says what becomes of something the destination cannot hold as it is. `holds` names
    the kinds (`model.KINDS`); a kind that is not named is dropped.
    """

    holds: Mapping[str, Fate] = field(default_factory=dict)
    order: Literal["any", "step"] = "any"
    resend: Literal["harmless", "continue", "atomic"] = "harmless"
    replaces_complete: bool = False  # where resend is "continue": number 0 begins such a run anew
    batch_rows: int = BATCH_ROWS
    series_key: KeyRule = KeyRule()
    attribute_key: KeyRule = KeyRule()
    attribute_separator: str = "."
    # steps
    null_step: Fate = Fate.KEPT
    fractional_step: Fate = Fate.KEPT
    negative_step: Fate = Fate.KEPT
    falling_step: Fate = Fate.KEPT
    max_step: int = 2**63 - 1
    step_beyond: Fate = Fate.KEPT
    duplicate_point: Fate = Fate.KEPT  # rows of one key equal in all that the destination holds
    repeated_step: Fate = Fate.KEPT  # of rows of one step all but the first move, and what follows
    source_order: Fate = Fate.KEPT  # `seq` is not kept
    rows_apart_ns: int | None = None
    """Where values of a step share a row, in the order of steps: `seq` is kept all the same of rows
    that steps tell apart, and of the machine's whose times differ by more than this."""
    system_step: Fate = Fate.KEPT  # rows of the machine have steps, and not times alone
    # times
    time_unit_ns: int = 1
    finer_time: Fate = Fate.KEPT
    null_time: Fate = Fate.KEPT
    negative_time: Fate = Fate.KEPT  # before 1970
    # values
    nan: Fate = Fate.KEPT
    infinity: Fate = Fate.KEPT
    null_value: Fate = Fate.KEPT
    inexact_int: Fate = Fate.KEPT
    number_kind: Fate = Fate.KEPT  # int, bool, float32 told from float64
    # attributes
    attribute_type: Fate = Fate.KEPT  # bool, int, float, null, list … told from a string
    max_attribute_length: int = 2**31  # characters of the value as the destination spells it
    long_attribute: Fate = Fate.KEPT
    # texts
    max_text_length: int = 2**31
    long_text: Fate = Fate.KEPT
    # media
    media_path: Fate = Fate.KEPT  # the source's own
    media_metadata: Fate = Fate.KEPT  # boxes, masks, sizes …: all but captions
    # artifacts
    artifact_version: Fate = Fate.KEPT  # numbered as they arrive; aliases go to what comes later
    used_artifact: Fate = Fate.KEPT  # which ones a run used
    # the run
    run_id: Fate = Fate.KEPT
    key_path: Fate = Fate.KEPT  # a nested path told from its joined key
    series_facts: Fate = Fate.KEPT  # x axis, goal, summary rule, hidden
    stream: Fate = Fate.KEPT  # user and system told apart
    header_times: Fate = Fate.KEPT
    header_fields: Mapping[str, Fate] = field(default_factory=dict)  # of Run, that are not kept
    lineage: Fate = Fate.KEPT


@runtime_checkable
class Writer(Protocol):
    """Puts runs into one destination. Ordering, naming, batching, resuming and retrying are push's.

    A writer is used by one thread at a time; push opens one for each worker. `remote` is what
    `find` or `create` returned, also when that was in another process.
    """

    name: ClassVar[str]
    limits: ClassVar[Limits]

    @classmethod
    def open(cls, where: Location) -> Self:
        """Raises Refused, AuthFailed, Unreachable, MissingExtra."""
        ...

    def find(self, uid: Uid) -> RemoteId | None:
        """The run that carries this mark; None only if the backend said "no such run"."""
        ...

    def present(self) -> Mapping[Uid, RemoteId] | None:
        """All sealed runs of ours by their marks, from one listing; None where none is cheap.

        What the ledger calls done is believed only while this says so too.
        """
        ...

    def create(self, run: Run, uid: Uid) -> RemoteId:
        """Begin a run; the uid mark travels in the same request, so `find` never misses it."""
        ...

    def claim(self, remote: RemoteId, words: str) -> None:
        """Keep a few words with the run, for `stored` to give back: who is sending it, and when.

        They replace those of the claim before; `seal` takes them away.
        """
        ...

    def stored(self, remote: RemoteId) -> Progress | None:
        """What has arrived, where the backend can tell; raises RunMissing."""
        ...

    def append(self, remote: RemoteId, number: int, chunk: Chunk) -> None:
        """Store one chunk. `number` names it: the same number is the same chunk in every attempt.

        A sealed run is no longer sealed once anything is appended. Where a resend is harmless,
        number 0 again begins a sending in full, which replaces the earlier ones when it is sealed;
        so it does to a sealed run where `Limits.replaces_complete`. Returns only when the chunk
        would survive this process. Keys in rows are the destination's own names;
        Series.original_key and Attribute.path tell what they were.
        """
        ...

    def seal(self, remote: RemoteId, run: Run) -> None:
        """Status, end time and completion mark: the last thing that is written."""
        ...

    def discard(self, remote: RemoteId) -> None:
        """Remove an unsealed run of ours; never anybody else's.

        Of a run that was sealed before, where `stored` says so and rows cannot be replaced
        (`Limits.resend` is "continue"), only what came since, growth or another sending in full:
        it is then sealed as it was.
        """
        ...

    def close(self) -> None:
        """Let go of files and connections; harmless when repeated."""
        ...
