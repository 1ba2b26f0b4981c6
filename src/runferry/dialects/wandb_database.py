"""The record view of a `.wandb` file: every record of every type, as plain Python or as columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

from runferry import _native
from runferry.model import SeriesKeys, Stream

if TYPE_CHECKING:
    import pyarrow as pa

Message: TypeAlias = dict[str, Any]
"""A record by the conventions of protobuf's JSON, its items a mapping of key to value."""

Records: TypeAlias = tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class DamagedBytes:
    """What could not be read, or not as it was: see `_native.WandbBatch.damage` for the reasons."""

    offset: int
    length: int
    reason: str


@dataclass(frozen=True, slots=True)
class WandbColumns:
    """The rows of a file as Arrow tables, numbered together by `seq`.

    `points`: key, path, stream, step, time, time_ns, value, value_i64, kind, seq. `values`: the
    same address and `json`, for what is no scalar. `console`: time, time_ns, stream, line, seq.
    """

    points: pa.Table
    values: pa.Table
    console: pa.Table


@dataclass(frozen=True)
class WandbDatabase:
    """One field for each record type, its records in the order of the file."""

    history: Records = ()
    summary: Records = ()
    output: Records = ()
    config: Records = ()
    files: Records = ()
    stats: Records = ()
    artifact: Records = ()
    tbrecord: Records = ()
    alert: Records = ()
    telemetry: Records = ()
    metric: Records = ()
    output_raw: Records = ()
    run: Records = ()
    exit: Records = ()
    final: Records = ()
    header: Records = ()
    footer: Records = ()
    preempting: Records = ()
    noop_link_artifact: Records = ()
    use_artifact: Records = ()
    environment: Records = ()
    output_logger: Records = ()
    request: Records = ()
    unknown: Records = ()  # of types nobody knows: {"#<number>": …}
    damage: tuple[DamagedBytes, ...] = ()
    path: Path = field(default=Path(), compare=False)

    def counts(self) -> dict[str, int]:
        """How many records of each type there are, zeros included, in the order of the fields."""
        names = [one.name for one in fields(self) if one.name not in ("damage", "path")]
        return {name: len(getattr(self, name)) for name in names}

    @property
    def columns(self) -> WandbColumns:
        """The rows of the file, read anew as Arrow columns."""
        return _columns(self.path)


def load_wandb_database(
    path: str | Path, *, keys: Literal["joined", "path"] = "joined"
) -> WandbDatabase:
    """Read a `.wandb` file record by record, as far as it goes; what was lost is in `damage`.

    Nested keys are joined by `/`, and stay tuples where that would make two keys one;
    `keys="path"` gives tuples always. Raises OSError, Damaged for a file that is no such database,
    UnknownVersion.
    """
    place = Path(path).expanduser()
    damage: list[tuple[int, int, str]] = []
    found = _native.wandb_records(place, keys=keys, damage=damage)
    known = {one.name for one in fields(WandbDatabase)} - {"damage", "path", "unknown"}
    strangers = [record for name in found if name not in known for record in found[name]]
    return WandbDatabase(
        **{name: tuple(records) for name, records in found.items() if name in known},
        unknown=tuple(strangers),
        damage=tuple(DamagedBytes(*one) for one in damage),
        path=place,
    )


def _columns(path: Path) -> WandbColumns:
    import pyarrow as pa

    names, schemas = _Names(), _schemas()
    points: list[pa.RecordBatch] = []
    values: list[pa.RecordBatch] = []
    console: list[pa.RecordBatch] = []
    for batch in _batches(path):
        names.extend(batch.series)
        if batch.points is not None:
            points.append(pa.record_batch(batch.points).select(schemas["points"].names))
        if batch.values is not None:
            values.append(pa.record_batch(batch.values).select(schemas["values"].names))
        if batch.console is not None:
            console.append(pa.record_batch(batch.console))
    return WandbColumns(
        names.applied(pa.Table.from_batches(points, schemas["points"])),
        names.applied(pa.Table.from_batches(values, schemas["values"])),
        pa.Table.from_batches(console, schemas["console"]),
    )


def _schemas() -> dict[str, pa.Schema]:
    """The columns of `_native.WandbBatch`, which a file without such rows has as well."""
    import pyarrow as pa

    from runferry import tables

    address = [
        pa.field("series", pa.int32(), nullable=False),
        *(tables.POINTS.field(name) for name in ("step", "time", "time_ns", "seq")),
    ]
    value = [tables.POINTS.field(name) for name in ("value", "value_i64", "kind")]
    json = [pa.field("json", pa.string(), nullable=False)]
    return {
        "points": pa.schema([*address, *value]),
        "values": pa.schema([*address, *json]),
        "console": tables.CONSOLE,
    }


def _batches(path: Path) -> Iterator[_native.WandbBatch]:
    scanner = _native.WandbScanner(path)
    while (batch := scanner.next()) is not None:
        yield batch


class _Names:
    """Keys, paths and streams of series by their numbers."""

    def __init__(self) -> None:
        self._known = SeriesKeys()
        self._keys: list[str] = []
        self._paths: list[tuple[str, ...]] = []
        self._streams: list[str] = []

    def extend(self, series: list[tuple[str, tuple[str, ...]]]) -> None:
        for stream, path in series:
            self._keys.append(self._known.key(path, cast("Stream", stream)))
            self._paths.append(path)
            self._streams.append(stream)

    def applied(self, table: pa.Table) -> pa.Table:
        """The table with names in place of numbers."""
        import pyarrow as pa

        numbers = table.column("series")
        named = {
            "key": pa.array(self._keys, pa.string()),
            "path": pa.array([list(path) for path in self._paths], pa.list_(pa.string())),
            "stream": pa.array(self._streams, pa.string()),
        }
        rest = table.drop_columns(["series"])
        for place, (name, column) in enumerate(named.items()):
            rest = rest.add_column(place, name, column.take(numbers.combine_chunks()))
        return rest
