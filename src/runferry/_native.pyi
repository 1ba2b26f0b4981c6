"""The native half: bytes of experiment trackers to Arrow columns. Knows no network."""

from typing import Any

__version__: str

class WandbBatch:
    """One step of a scan: what was decoded from some records, at most `rows` rows a table.

    Tables implement the Arrow PyCapsule interface: `pyarrow.record_batch(batch.points)`. Their
    column `series` (int32) numbers the entries of `series` over the whole scan.
    """

    points: object | None
    """series, step, time (µs), time_ns, value, value_i64, kind (dictionary), seq."""
    values: object | None
    """series, step, time, time_ns, seq, json: history values that are no scalar, as JSON text."""
    console: object | None
    """time, time_ns, stream (dictionary), line, seq."""
    series: list[tuple[str, tuple[str, ...]]]
    """(stream, path) of the series first met in this batch, in the order of their numbers."""
    records: list[tuple[str, int, dict[str, Any]]]
    """(record type, offset, message) of every other record, unknown types as raw bytes."""
    damage: list[tuple[int, int, str]]
    """(offset, length in bytes, reason) of what could not be read."""

class WandbScanner:
    """Reads a `.wandb` file record by record, from `offset` (0: the start) as far as it goes."""

    def __init__(
        self, path: str, *, offset: int = 0, origin: int = -1, seq: int = 0, rows: int = 65536
    ) -> None: ...
    def next(self) -> WandbBatch | None: ...
    @property
    def offset(self) -> int: ...
    @property
    def origin(self) -> int: ...
    @property
    def seq(self) -> int: ...
    def summary(self) -> list[tuple[tuple[str, ...], str]]:
        """The last value (JSON) of every summary path seen by this scan."""

def wandb_records(path: str, *, keys: str = "joined") -> dict[str, list[Any]]:
    """The seed's record view: one list of messages for each record type, in order."""
