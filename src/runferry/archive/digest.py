"""The content digest of a run: the same for the same content, however it was cut and pulled.

Every row is hashed by itself and the hashes are added up, so neither the order of arrival nor the
borders of chunks, segments and pulls matter, and a pull that appends needs nothing of what is
there but the sum. Two lanes of 64 bits each; a scalar row is a multilinear hash of its columns
through a finaliser (`rust/src/point_hashes.rs`), a row of another table XXH3 of its cells
(`rust/src/row_hashes.rs`), and what is no row BLAKE2b of its canonical JSON. It finds accidents
and tells contents apart; against malice stand the SHA-256 of segments and blobs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from runferry._native import sum_of_point_hashes, sum_of_row_hashes
from runferry.archive.record import Sum

_LANE = 2**64


class RowSum:
    """The sum of the hashes of one table's rows."""

    def __init__(self, start: Sum | None = None) -> None:
        self.rows = start.rows if start else 0
        packed = int(start.hash, 16) if start and start.hash else 0
        self._lanes = [packed >> 64, packed % _LANE]

    def add(self, lanes: tuple[int, int], rows: int) -> None:
        """Add the sum of several rows."""
        self.rows += rows
        self._lanes = [
            (mine + theirs) % _LANE for mine, theirs in zip(self._lanes, lanes, strict=True)
        ]

    def add_item(self, item: Any) -> None:
        """Add one row that is given as JSON."""
        packed = _hash(_CANONICAL.encode(item))
        self.add((packed >> 64, packed % _LANE), 1)

    def add_rows(self, rows: pa.Table) -> None:
        """Add rows of any table but the scalars', whose columns are in its order."""
        for batch in rows.to_batches():
            self.add(sum_of_row_hashes(batch), batch.num_rows)

    def add_points(self, rows: pa.Table) -> None:
        """Add scalars, whose columns are in the order of POINTS."""
        for batch in rows.to_batches():
            self.add(sum_of_point_hashes(batch), batch.num_rows)

    def state(self) -> Sum:
        """What a commit record keeps of it."""
        return Sum(self.rows, f"{self._lanes[0] << 64 | self._lanes[1]:032x}")


_CANONICAL = json.JSONEncoder(ensure_ascii=True, sort_keys=True, separators=(",", ":"))


def _hash(spelled: str) -> int:
    return int.from_bytes(hashlib.blake2b(spelled.encode(), digest_size=16).digest(), "big")


def digest_of(sums: Mapping[str, Sum]) -> str:
    """One digest from the sums of all tables; empty tables do not matter."""
    spelled = {table: [total.rows, total.hash] for table, total in sums.items() if total.rows}
    return f"{_hash(_CANONICAL.encode(spelled)):032x}"
