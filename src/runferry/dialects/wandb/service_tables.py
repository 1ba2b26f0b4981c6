"""Rows of a copy of ours in W&B's service, as files beside it: what its own rows cannot say.

`runferry/rows.parquet` says of each row that W&B has which row of the source it is: by its step in
the history, by its time among system metrics. It is there where that tells all rows apart, so all
values that W&B shows in one row were logged together. `runferry/console.parquet` are the lines as
they were printed (`tables.CONSOLE`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROWS_FILE: Final = "runferry/rows.parquet"
CONSOLE_FILE: Final = "runferry/console.parquet"

SHOWN_WITHIN_NS: Final = 1_000
"""So near to the source's time is what W&B shows: a double of seconds, or that cut to µs."""

APART_NS: Final = 2 * SHOWN_WITHIN_NS
"""Rows of system metrics whose times differ by more are known by them."""

ROWS: Final = pa.schema(
    [
        pa.field("is_system", pa.bool_(), nullable=False),
        pa.field("at", pa.int64(), nullable=False),  # a step; of system metrics the time
        pa.field("seq", pa.int64(), nullable=False),
        pa.field("time_ns", pa.int64(), nullable=False),  # since 1970
    ]
)


@dataclass(frozen=True, slots=True)
class SourceRows:
    """Of one stream: the source's rows by where W&B has them, which rises."""

    at: NDArray[np.int64]
    seq: NDArray[np.int64]
    time_ns: NDArray[np.int64]

    @classmethod
    def of(cls, table: pa.Table, *, is_system: bool) -> Self:
        """Those of one stream, from a table of `ROWS`."""
        mask = table.column("is_system").to_numpy() == is_system
        names = ("at", "seq", "time_ns")
        at, seq, time_ns = (table.column(name).to_numpy()[mask] for name in names)
        order = np.argsort(at, kind="stable")
        return cls(at[order], seq[order], time_ns[order])

    def places(self, wanted: NDArray[np.int64], *, within: int = 0) -> NDArray[np.int64]:
        """Which row stands at each of these, give or take `within`; -1 where none does."""
        if not len(self.at):
            return np.full(len(wanted), -1)
        behind = np.minimum(np.searchsorted(self.at, wanted), len(self.at) - 1)
        before = np.maximum(behind - 1, 0)
        is_before = np.abs(self.at[before] - wanted) < np.abs(self.at[behind] - wanted)
        nearest = np.where(is_before, before, behind)
        return np.where(np.abs(self.at[nearest] - wanted) <= within, nearest, -1)
