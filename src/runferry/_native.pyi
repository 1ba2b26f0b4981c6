"""The native half: bytes of experiment trackers to Arrow columns. Knows no network."""

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, Protocol, final

__all__ = [
    "ArrowTable",
    "ClearmlEvents",
    "EventBatch",
    "EventMarks",
    "EventScanner",
    "EventWriter",
    "JournalFile",
    "JournalLane",
    "SwanlabBatch",
    "SwanlabLog",
    "SwanlabScanner",
    "WandbBatch",
    "WandbLog",
    "WandbScanner",
    "__version__",
    "event_record",
    "journal_frame",
    "sum_of_point_hashes",
    "sum_of_row_hashes",
    "sync",
    "wandb_records",
]

__version__: str

class _ArrowRows(Protocol):
    def __arrow_c_array__(
        self, requested_schema: object | None = None
    ) -> tuple[object, object]: ...

@final
class ArrowTable:
    """A table with the Arrow PyCapsule interface: `pyarrow.record_batch(table)` copies nothing."""

    def __arrow_c_array__(
        self, requested_schema: object | None = None
    ) -> tuple[object, object]: ...
    def __len__(self) -> int: ...

@final
class EventBatch:
    """One step of a scan: what was decoded from some events, at most `rows` rows a table.

    It ends behind the event that brings it to 16 MiB of texts, histograms, media and records. An
    event is one source row: `seq` numbers events that brought a row, an `unknown`, a `session_log`
    or a `log_message`, in the order of the file. Where our own field 1517 of an event gives it
    another number, the next one counts from there. Columns of all tables begin with series
    (int32), step, step_frac, time (µs, UTC), time_ns, seq.
    """

    @property
    def points(self) -> ArrowTable | None:
        """…, value, value_i64, kind (dictionary, as `tables.POINTS`).

        `simple_value`, and tensors with one number of plugin `scalars` or of none. float32, half
        and bfloat16 are float32. An unsigned integer beyond int64 is a text of form json.
        """
    @property
    def texts(self) -> ArrowTable | None:
        """…, text, form (dictionary: text, json): nested lists by the tensor's shape are json."""
    @property
    def histograms(self) -> ArrowTable | None:
        """…, edges, counts, counts_kind, extra (JSON or null).

        Of a `HistogramProto`: `bucket_limit` is edges[1:], `bucket` is counts; extra has min, max,
        num, sum, sum_squares. The first edge is min, or the first limit where that is less.
        Of a tensor of bins: extra is null; {"dtype": "float32"} if it was no double; where the bins
        have gaps also "bins": [[left, right, count], …], and the edges are left ones and the last
        right one. A tensor without bins has neither edges nor counts.
        """
    @property
    def media(self) -> ArrowTable | None:
        """…, index (int32), form (dictionary), content (large binary), caption, metadata (JSON).

        One row an image, clip or blob. Forms: image (obsolete: width, height, colorspace; tensor:
        width, height), audio (obsolete: sample_rate, num_channels, length_frames, content_type;
        tensor: caption), pr_curve (content is JSON: true_positives, false_positives,
        true_negatives, false_negatives, precision, recall; metadata: plugin, dtype), mesh (content
        is the TensorProto; metadata: plugin and the fields of MeshPluginData), graph_def,
        meta_graph_def, tagged_run_metadata, graph_run_metadata, graph_run_metadata_graph,
        graph_keras_model. A graph without a tag has its form as its tag, and plugin "graphs".
        """
    @property
    def series(self) -> list[tuple[str, str, dict[str, Any]]]:
        """(tag, plugin, facts) of the series with a first row in this batch, by their numbers.

        A tag that comes with other metadata is another series. Facts, where given: display_name,
        description, data_class, content (bytes), node_name (where it is not the tag), shape (of a
        first value that is a text of one element, and has dimensions).
        """
    @property
    def records(self) -> list[tuple[str, int, int, int | None, dict[str, Any]]]:
        """(record type, offset, seq, time in ns, message) of everything else.

        Messages are by the field names of TensorBoard's .proto files, as in `WandbBatch.records`:
        file_version {"file_version"}, source_metadata, session_log and log_message (with "step" and
        "event": bytes), experiment, session_start_info, session_end_info and layout (with "step"),
        runferry {"tag", "json": bytes}, unknown {"tag", "plugin", "step", "event": bytes}. An
        "event" is the serialized Event with this one value. Unknown is what no column holds; an
        event with a field that nobody knows has plugin "#<number>".
        """
    @property
    def damage(self) -> list[tuple[int, int, str]]:
        """(offset, length in bytes, reason) of what could not be read, or not as it was.

        Lost: bad-checksum, bad-length, zeroed, unfinished-record (a whole one begins within it),
        oversized-record (more than 256 MiB), bad-record and cut-tail (the file ends inside a record
        and nothing whole follows: cut, or still being written). Kept as `unknown`: bad-tensor (a
        value is not what its plugin says). Null: bad-time; to the nearest ns: rounded-time; mended
        with U+FFFD: bad-utf8. What lies at or behind the scanner's `offset` is reported again by a
        scan that continues from there.
        """

@final
class EventScanner:
    """Reads an event file record by record, from `offset` as far as it goes.

    All checksums are checked. Behind a payload that does not match its checksum it goes on where
    the length says, if a length stands there; else, and behind a length that does not match, at the
    next offset where a whole record stands. Memory: a batch, and twice the largest record.

    The file's length is taken when it is opened; what is appended later is for a later scan, which
    goes on with this one's `offset`, `seq` and `plugins`.

    Raises OSError; runferry.errors.Damaged if its beginning is not that of an event file, and
    nothing whole follows.
    """

    def __new__(
        cls,
        path: str | PathLike[str],
        *,
        offset: int = 0,
        seq: int = 0,
        rows: int = 65536,
        plugins: Mapping[str, str] | None = None,
    ) -> EventScanner: ...
    def next(self) -> EventBatch | None:
        """The next batch, or None at the end. Other threads run meanwhile."""
    @property
    def offset(self) -> int:
        """Behind the last whole record whose rows have all been handed out."""
    @property
    def seq(self) -> int:
        """The number of the next source row."""
    @property
    def plugins(self) -> dict[str, str]:
        """Tag → plugin as known by now: metadata may come with the first value of a tag only."""

@final
class SwanlabBatch:
    """One step of a scan: what was decoded from some records, at most `rows` rows a table.

    Values that share step and time, one after the other, are one source row, as long as no key
    comes twice; each line is one too, and `seq` numbers both in the order of the file. Columns of
    `points` begin with series (int32), step, time (µs, UTC), time_ns, seq.
    """

    @property
    def points(self) -> ArrowTable | None:
        """…, value, value_i64, kind: doubles, and nulls where a record has no value at all."""
    @property
    def console(self) -> ArrowTable | None:
        """time, time_ns, stream, line, seq: with the line ends that SwanLab takes away."""
    @property
    def series(self) -> list[str]:
        """The keys of scalars and media that are new in this batch, by their numbers."""
    @property
    def records(self) -> list[tuple[int, int, int, bytes]]:
        """(number, offset, seq, message) of everything else, by field numbers of `Record`.

        Number 0 has the whole record: of a version 1 file its JSON, else what has no type that is
        known, or several. Scalars and lines with fields that nobody knows stand here too.
        """
    @property
    def damage(self) -> list[tuple[int, int, str]]:
        """As `WandbBatch.damage`."""

@final
class SwanlabScanner:
    """Reads a `.swanlab` file batch by batch, of version 2, or 1 (`backup.swanlab`).

    It reads up to the size that the file had when it was opened. A later scan goes on with this
    one's `offset`, `seq` and `group`. Raises OSError; runferry.errors.Damaged if the header is that
    of something else; runferry.errors.UnknownVersion.
    """

    def __new__(
        cls,
        path: str | PathLike[str],
        *,
        offset: int = 0,
        seq: int = 0,
        group: tuple[int, int | None, int, list[str]] | None = None,
        rows: int = 65536,
    ) -> SwanlabScanner: ...
    def next(self) -> SwanlabBatch | None:
        """The next batch, or None at the end. Other threads run meanwhile."""
    @property
    def offset(self) -> int:
        """Behind the last whole record."""
    @property
    def seq(self) -> int:
        """The number of the next row."""
    @property
    def version(self) -> int:
        """1: records of JSON; 2: of protobuf."""
    @property
    def group(self) -> tuple[int, int | None, int, list[str]] | None:
        """Step, time in ns, seq and keys of the values that were logged together last."""

@final
class SwanlabLog:
    """Writes a new `.swanlab` file of version 2.

    SwanLab keeps one value a key and step, of steps from 0 on. A value whose step is taken, or that
    has none, stands at the next free step of its key: rows come in order of step. `started_ns` is
    the time of what has none, until one is known. Raises OSError, also where there is a file;
    OverflowError with the µs of a time that 64 bits of nanoseconds cannot hold; ValueError for
    other columns, and keys that were not declared.
    """

    def __new__(cls, path: str | PathLike[str], *, started_ns: int) -> SwanlabLog: ...
    def declare(self, key: str, name: str) -> None:
        """The name by which SwanLab knows a key."""
    def step(self, key: str, step: int | None) -> int | None:
        """The step at which a value is shown, which is taken then; None for an unknown key."""
    def points(self, batch: object) -> None:
        """Rows of `tables.POINTS`; nulls are not written."""
    def console(self, batch: object) -> None:
        """Rows of `tables.CONSOLE`."""
    def record(
        self, number: int, message: bytes, *, num: int | None = None, time_ns: int | None = None
    ) -> None:
        """A record by the number of its type, spelled already."""
    def copy(
        self, path: str | PathLike[str], *, without: Sequence[int], renumber: bool = False
    ) -> tuple[list[bytes], list[tuple[int, int, str]]]:
        """The whole records of another log as they stand there, or numbered on from those here.

        Gives those of these types, which are not copied, and what of that log is not here since it
        is damaged, as `WandbBatch.damage`. Raises OSError.
        """
    def copied(self, payload: bytes) -> None:
        """A record that `copy` gave back."""
    def flush(self) -> None:
        """Write what waits."""
    @property
    def counts(self) -> tuple[int, int, int]:
        """Scalars; values at another step than theirs; nulls."""

@final
class WandbBatch:
    """One step of a scan: what was decoded from some records, at most `rows` rows a table.

    A history row is not split between batches unless it alone has more rows than fit. `seq` numbers
    history rows, statistics and console lines together, in the order of the file.
    """

    @property
    def points(self) -> ArrowTable | None:
        """series, step, time (µs), time_ns, seq, value, value_i64, kind (dictionary).

        `_step` and `_timestamp` have become step and time; they are series only where they cannot
        (`_step` "5", 5.5, true …), and in rows that hold nothing else. `step` is null where the row
        has neither. The double of a `_timestamp` is had back as (time in ns) / 10**9. The integer
        `-0` is the float −0.0. A mapping is one value if it is empty or has a `_type` that is a
        string; any other is taken apart, and only what is no scalar goes to `values`.
        """
    @property
    def values(self) -> ArrowTable | None:
        """series, step, time, time_ns, seq, json: what is no scalar, as JSON text.

        Rows of ours are taken apart into the source rows that they were made of. They may have a
        column `step_frac`, in `points` too, and `code`: what the source had, if not 0
        (`dialects.wandb.values.Code`).

        Strings are here in quotes, and integers beyond 64 bits. NaN and Infinity stand bare. What
        wandb-core took apart (`hist._type`, `hist.bins` …) is one mapping again, names sorted.
        """
    @property
    def console(self) -> ArrowTable | None:
        """time, time_ns, stream (dictionary: stdout, stderr), line, seq."""
    @property
    def series(self) -> list[tuple[str, tuple[str, ...]]]:
        """(stream, path) of the series first met in this batch, in the order of their numbers.

        Stream is "user" (history) or "system" (statistics).
        """
    @property
    def records(self) -> list[tuple[str, int, dict[str, Any]]]:
        """(record type, offset, message) of every other record.

        Messages are by field name; zeros that the format does not tell from absence are left out,
        as are absent fields. Integers are ints, enums words, times nanoseconds since the epoch,
        `value_json` as written; unknown fields are lists under "#<number>". A record type that is
        not known is called "#<number>", its message {"#<number>": bytes}; "unknown" is a record
        without any. A history, stats, summary or output record is here *as well* if it holds
        something that the columns cannot say.
        """
    @property
    def damage(self) -> list[tuple[int, int, str]]:
        """(offset, length in bytes, reason) of what could not be read, or not as it was.

        Lost: bad-checksum, bad-header, zeroed, orphan-chunk, unfinished-record, bad-record,
        oversized-record (more than 256 MiB) and cut-tail (the file ends inside a record and nothing
        whole follows: cut, or still being written). In a record that was
        read otherwise: bad-json (a value), overlap (of two values in one place the later was kept);
        mended with U+FFFD: bad-utf8, lone-surrogate, and merged-key (a key that thereby became the
        same as another). What lies at or behind the scanner's `offset`
        is reported again by a scan that continues from there.
        """

@final
class WandbScanner:
    """Reads a `.wandb` file record by record, from `offset` (0: the start) as far as it goes.

    Behind damage it goes on with the next chunk from which whole ones lead to the end of the 32 KiB
    block, else with the next block. Memory: a batch, and three times the largest record.

    The file's length is taken when it is opened; what is appended later is for a later scan, which
    goes on with this one's `offset`, `origin` and `seq`.

    Raises OSError; runferry.errors.Damaged if the header is that of something else;
    runferry.errors.UnknownVersion, unless `any_version` says to read such a file nevertheless.
    """

    def __new__(
        cls,
        path: str | PathLike[str],
        *,
        offset: int = 0,
        origin: int = -1,
        seq: int = 0,
        rows: int = 65536,
        any_version: bool = False,
    ) -> WandbScanner: ...
    def next(self) -> WandbBatch | None:
        """The next batch, or None at the end. Other threads run meanwhile."""
    @property
    def offset(self) -> int:
        """Behind the last whole record whose rows have all been handed out."""
    @property
    def origin(self) -> int:
        """Where blocks are counted from: 0, or 7 (wandb-core before 0.17.6); -1: not known yet."""
    @property
    def seq(self) -> int:
        """The number of the next row."""
    def summary(self) -> list[tuple[tuple[str, ...], str | None]]:
        """The last value (JSON) of every summary path seen by this scan; None: it was removed.

        A path comes before those below it; of these there are only the ones said later.
        """

def sync(paths: Sequence[str | PathLike[str]]) -> None:
    """Make files, and the names in folders, last: several at a time, without Python's lock.

    All are synced whatever becomes of one; then the first OSError is raised. Folders are passed
    over on Windows, which cannot sync them.
    """

def sum_of_point_hashes(rows: _ArrowRows) -> tuple[int, int]:
    """The sums, modulo 2⁶⁴, of both lanes of the hashes of scalars.

    Columns are told apart by their order; `rust/src/point_hashes.rs` says how. Raises ValueError
    for a column of a type that scalars do not have.
    """

def sum_of_row_hashes(rows: _ArrowRows) -> tuple[int, int]:
    """The sums, modulo 2⁶⁴, of the upper and lower halves of the rows' XXH3 of 16 bytes.

    A row is spelled cell by cell in the order of the columns, with a dictionary's values for its
    codes; `rust/src/row_hashes.rs` says how. Raises ValueError for a column of a type that no
    table has.
    """

def journal_frame(kind: int, source: int, payload: bytes, time_ns: int | None = None) -> bytes:
    """A frame of a live journal, of now unless it says otherwise; `live.frames` says what it is."""

@final
class JournalFile:
    """A new file that is appended to, whole frames or none. OSError is raised by what may fail."""

    def __new__(cls, path: str | PathLike[str]) -> JournalFile: ...
    @property
    def is_quick(self) -> bool:
        """Whether the last frame took less than a millisecond."""
    @property
    def was_stuck(self) -> bool:
        """Whether a frame has ever taken more than 100 ms."""
    def append(self, kind: int, source: int, payload: bytes) -> None:
        """One frame in one write; once one has failed, so does every later one.

        Python's lock is kept as long as that is quick, unless the payload is large: then no other
        thread goes on meanwhile, and none has to be waited for afterwards.
        """
    def write(self, frame: bytes) -> None:
        """One write, without Python's lock."""
    def fileno(self) -> int:
        """Not on Windows."""
    def close(self) -> None:
        """Writes that are under way end; any later one is an error."""
    def abandon(self) -> None:
        """Close it in a child that was forked, whatever the parent's threads did then."""

@final
class JournalLane:
    """The quick way of the records of one source into a file."""

    def __new__(cls) -> JournalLane: ...
    @property
    def written(self) -> int:
        """How many records went this way."""
    def aim(self, file: JournalFile, kind: int, source: int) -> None:
        """Write to this file from now on, as this kind, under this number."""
    def forget(self) -> None:
        """Begin anew, in a child that was forked."""
    def put(self, payload: bytes) -> bool:
        """One frame in one write, with Python's lock. False where that would not be quick, or has
        failed: nothing can be read of it then, and `JournalFile.append` is the way."""

def wandb_records(
    path: str | PathLike[str],
    *,
    keys: str = "joined",
    damage: list[tuple[int, int, str]] | None = None,
    any_version: bool = False,
) -> dict[str, list[dict[str, Any]]]:
    """Every record by its type, in order, by the conventions of protobuf's JSON.

    64-bit integers are strings, enums words, times RFC 3339, bytes base64, fields by their names in
    the .proto file; unknown fields and record types are under "#<number>". The items of history,
    summary, config and statistics are mappings of what their JSON means; keys are joined by "/", or
    tuples where that would make two of them one; with `keys="path"` they are tuples always. Where a
    mapping cannot be (a value missing or no JSON, a key twice) the list stays. What was lost is
    appended to `damage`, as in `WandbBatch.damage`.
    """

@final
class ClearmlEvents:
    """Writes the events of a ClearML session: arrays of JSON objects, one a line.

    They are appended to `path`, which is made with the first; with `packed`, (path, offset),
    they are written there as raw DEFLATE too. Numbers of kind `int` have no point, all others have
    one or an exponent; NaN and infinities are spelled as Python's `json` does, and left out with
    `is_finite`. Raises OSError.
    """

    def __new__(
        cls,
        path: str | PathLike[str],
        *,
        packed: tuple[str | PathLike[str], int] | None = None,
        is_finite: bool = False,
    ) -> ClearmlEvents: ...
    def points(self, batch: object, heads: Sequence[str]) -> None:
        """Rows of `tables.POINTS`, a thousand a line; those without a value are passed over.

        `heads` are, for the words of the dictionary of keys, what an event begins with, up to the
        iteration: the step, else the number of the source row. Raises ValueError for other columns.
        """
    def lines(self, text: bytes, packed: bytes) -> None:
        """Whole lines, and the same as whole blocks of DEFLATE, none the last."""
    def finish(self) -> tuple[int, int, int]:
        """Write what waits: CRC-32 and bytes of the text, bytes of what is packed. The end."""
    @property
    def counts(self) -> tuple[int, int]:
        """Points that were written; those whose step is above all before them in their series."""

@final
class EventWriter:
    """Appends events to a TensorBoard event file, framed and with their checksums.

    Bytes wait here until there are about a megabyte of them, or `flush` is called. What stands
    behind `offset` when it is opened is cut off. `tags` is what the file says already: the plugin
    of each tag. Scalars are spelled as `simple_value`, which is what TensorBoard's data server
    shows; with `doubles`, those that 32 bits would round as tensors of DT_DOUBLE. Raises OSError.
    """

    def __new__(
        cls, path: str | PathLike[str], *, offset: int, tags: Mapping[str, str], doubles: bool
    ) -> EventWriter: ...
    def points(self, batch: object) -> None:
        """Rows of `tables.POINTS`: neighbours of one source row are one event.

        Field 1517 of the event says what the values that are shown do not. Raises ValueError for
        other columns, OverflowError with the µs of a time that 64 bits of nanoseconds cannot hold.
        """
    def texts(self, batch: object) -> None:
        """Rows of `tables.TEXTS`, as strings of plugin `text`.

        JSON that stands for a tensor of several strings is that tensor again.
        """
    def histograms(self, batch: object) -> None:
        """Rows of `tables.HISTOGRAMS`, as buckets of plugin `histograms`."""
    def event(self, payload: bytes) -> int:
        """An event that is spelled already; where in the file its payload begins."""
    def tag(self, key: str, plugin: str) -> tuple[str, bool]:
        """The tag under which this plugin shows a series, and whether it has no value yet.

        A series whose first value another plugin shows has the tag `runferry/<plugin>/<key>`.
        """
    def describe(self, tag: str, content: bytes, facts: bytes, shape: Sequence[int]) -> None:
        """The plugin's content, and display name and description, for the tag's first value.

        `shape` is that of all its texts which are one element: sizes of 1.
        """
    def flush(self) -> None:
        """Write what waits."""
    @property
    def offset(self) -> int:
        """Behind the last event."""

@final
class WandbLog:
    """Writes a new `.wandb` file: rows in order of step, W&B's records and ours.

    The values of a step become one history row, whichever table they come from, unless a series
    comes twice. Rows of all tables up to a common end make a window, in the order points, texts,
    histograms, media; what may still get company waits here. Field 1517 of a row says what W&B's
    own fields do not, and `WandbScanner` gives the source rows back. Statistics are of one source
    row each. `started_ns` is what `_runtime` is counted from. What would make the values of a row
    longer than `longest_row` bytes is left out and counted. Raises OSError, also where there is
    a file; OverflowError with the µs of a time that 64 bits of nanoseconds cannot hold; ValueError
    for other columns, and keys that were not declared.
    """

    def __new__(
        cls,
        path: str | PathLike[str],
        *,
        started_ns: int | None,
        longest_row: int | None = None,
    ) -> WandbLog: ...
    def declare(self, key: str, path: Sequence[str], is_system: bool) -> None:
        """Where W&B is shown the rows of a key; statistics have one name, joined."""
    def points(self, batch: object) -> None:
        """Rows of `tables.POINTS`."""
    def texts(self, batch: object) -> None:
        """Rows of `tables.TEXTS`."""
    def histograms(self, batch: object) -> None:
        """Addresses, and json, exact, form (dictionary: histogram, exact-histogram, shown)."""
    def media(self, batch: object) -> None:
        """The same."""
    def console(self, batch: object) -> None:
        """Rows of `tables.CONSOLE`."""
    def record(self, number: int, message: bytes) -> None:
        """A record by the number of its type, spelled already."""
    def flush(self) -> None:
        """No more rows come before this: write all that waits."""
    @property
    def counts(self) -> tuple[int, int]:
        """History rows; values that are shown at the time of their row instead of theirs."""
    @property
    def too_long(self) -> dict[str, int]:
        """By key: values that had no room in their row."""

@final
class EventMarks:
    """What an event file says by values of plugin "runferry", as far as its records are whole."""

    def __new__(cls, path: str | PathLike[str], wanted: Sequence[str]) -> EventMarks: ...
    @property
    def offset(self) -> int:
        """Behind the last whole record."""
    @property
    def marks(self) -> list[tuple[str, int, bytes | None]]:
        """(tag, where its record ends, what it says: of the tags in `wanted`)."""
    @property
    def tags(self) -> list[tuple[str, str, int]]:
        """(tag, plugin, where the record ends) of other values with metadata."""

def event_record(path: str | PathLike[str], offset: int) -> tuple[str | None, bytes, int] | None:
    """The whole record that begins here: tag and content if it is of ours, and where it ends."""
