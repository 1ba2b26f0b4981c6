"""The quick comparison: both sides side by side, equal bit for bit and in the same order, or not.

What a destination gives back exactly is settled here, at the speed of reading. Anything else is
for `compare`, which can tell what differs.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from typing import Literal

import pyarrow as pa

from runferry.chunks import Chunk
from runferry.transfer.compare import Difference
from runferry.transfer.compare_tables import columns_of

Side = Literal["a", "b"]

MOST_WAITING = 1_000_000
"""Rows that one side may be ahead by; beyond, the order is another one and this is no help."""


class Lockstep:
    """Takes both sides' chunks as they come; holds only what one side is ahead by."""

    def __init__(self) -> None:
        self._waiting: dict[str, dict[Side, deque[pa.Table]]] = defaultdict(
            lambda: {"a": deque(), "b": deque()}
        )
        self._ahead: dict[Side, int] = {"a": 0, "b": 0}
        self.rows = 0
        self.is_broken = False

    @property
    def is_equal(self) -> bool:
        """Whether all rows were the same, and none is left over; asked at the end."""
        return not self.is_broken and not any(self._ahead.values())

    @property
    def behind(self) -> Side:
        """The side whose next chunk is wanted."""
        return "b" if self._ahead["a"] > 0 else "a"

    def system(self, number: int) -> None:
        """Which series are of the machine makes no difference here."""

    def add(self, side: Side, chunk: Chunk, numbers: Mapping[str, int]) -> None:
        """Rows of one side."""
        found = columns_of(chunk, numbers)
        if found is None or not found[1].num_rows or self.is_broken:
            return
        table, rows = found
        self.rows += rows.num_rows if side == "a" else 0
        self._ahead[side] += rows.num_rows
        queues = self._waiting[table.name]
        queues[side].append(rows)
        while queues["a"] and queues["b"] and not self.is_broken:
            self._compare(queues)
        self.is_broken |= max(self._ahead.values()) > MOST_WAITING

    def _compare(self, queues: dict[Side, deque[pa.Table]]) -> None:
        count = min(queues["a"][0].num_rows, queues["b"][0].num_rows)
        heads = {side: queues[side].popleft() for side in queues}
        self.is_broken |= not heads["a"].slice(0, count).equals(heads["b"].slice(0, count))
        for side, head in heads.items():
            self._ahead[side] -= count
            if head.num_rows > count:
                queues[side].appendleft(head.slice(count))

    def differences(self) -> Iterator[Difference]:
        """None: it is only asked when all is equal."""
        return iter(())
