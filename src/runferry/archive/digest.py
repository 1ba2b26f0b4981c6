"""The content digest of a run: the same for the same content, however it was cut and pulled.

Every row is hashed by itself and the hashes are added up, so neither the order of arrival nor the
borders of chunks, segments and pulls matter, and a pull that appends needs nothing of what is
there but the sum. Two lanes of 64 bits each; a scalar row is a multilinear hash of its columns
through a finaliser, everything else BLAKE2b of its canonical JSON. It finds accidents and tells
contents apart; against malice stand the SHA-256 of segments and blobs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from runferry._native import sum_of_row_hashes
from runferry.archive.record import Sum

Lanes = NDArray[np.uint64]

_LANE = 2**64
_BLOCK = 32_768  # rows; keeps the scratch columns in the processor's cache
_SEEDS = {
    # odd 64-bit constants, two for each column: the first bytes of BLAKE2b of its name
    name: tuple(
        int.from_bytes(hashlib.blake2b(f"{name}/{lane}".encode(), digest_size=8).digest(), "big")
        | 1
        for lane in range(2)
    )
    for name in ("step", "step_frac", "time", "time_ns", "value", "value_i64", "flags", "seq")
}
_MIX_1, _MIX_2 = np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53)
_33, _32 = np.uint64(33), np.uint64(32)


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
        """Add rows whose columns are in the order of their table."""
        for batch in rows.to_batches():
            self.add(sum_of_row_hashes(batch), batch.num_rows)

    def state(self) -> Sum:
        """What a commit record keeps of it."""
        return Sum(self.rows, f"{self._lanes[0] << 64 | self._lanes[1]:032x}")


_CANONICAL = json.JSONEncoder(ensure_ascii=True, sort_keys=True, separators=(",", ":"))


def _hash(spelled: str) -> int:
    return int.from_bytes(hashlib.blake2b(spelled.encode(), digest_size=16).digest(), "big")


def key_hashes(keys: Iterable[str]) -> tuple[Lanes, Lanes]:
    """The part of a scalar row's hash that its key decides, one entry a key, for each lane."""
    spelled = [hashlib.blake2b(key.encode(), digest_size=16).digest() for key in keys]
    lanes = np.frombuffer(b"".join(spelled), dtype="<u8").reshape(-1, 2)
    return lanes[:, 0].astype(np.uint64), lanes[:, 1].astype(np.uint64)


def points_sum(
    ranks: NDArray[Any], keys: tuple[Lanes, Lanes], columns: Mapping[str, NDArray[Any]]
) -> tuple[int, int]:
    """The sum over scalar rows; null slots are zero and told apart by bits of `flags`.

    A column that is zero throughout may be left out.
    """
    totals = [0, 0]
    for start in range(0, len(ranks), _BLOCK):
        window = slice(start, start + _BLOCK)
        parts = {name: _bits(column[window]) for name, column in columns.items()}
        if "value" in parts:  # a sign is the highest bit, which a product would leave where it is
            parts["value"] = parts["value"] ^ (parts["value"] >> _32)
        for lane in range(2):
            mixed = keys[lane][ranks[window]]
            for name, part in parts.items():
                mixed += part * np.uint64(_SEEDS[name][lane])
            totals[lane] += int(np.add.reduce(_finalised(mixed)))
    return totals[0] % _LANE, totals[1] % _LANE


def _bits(column: NDArray[Any]) -> Lanes:
    if column.dtype.itemsize == 8:
        return column.view(np.uint64)
    return column.astype(np.int64).view(np.uint64)


def _finalised(mixed: Lanes) -> Lanes:
    mixed ^= mixed >> _33
    mixed *= _MIX_1
    mixed ^= mixed >> _33
    mixed *= _MIX_2
    mixed ^= mixed >> _33
    return mixed


def digest_of(sums: Mapping[str, Sum]) -> str:
    """One digest from the sums of all tables; empty tables do not matter."""
    spelled = {table: [total.rows, total.hash] for table, total in sums.items() if total.rows}
    return f"{_hash(_CANONICAL.encode(spelled)):032x}"
