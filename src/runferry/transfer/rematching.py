"""Partners for as many as possible: rows give up theirs where they can do with another one.

Bipartite matching by augmenting paths. What a row can do with is all that agree with it in its
closed cells, so rows with equal closed cells share one list, and a search walks each list once.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_Key = tuple[object, ...]


@dataclass
class Contest:
    """Rows that want a partner, and the rows that they want."""

    closed: Mapping[int, Sequence[str]]  # by what is open in a row: the cells that have to agree
    keys: dict[int, _Key] = field(default_factory=dict)  # of each row that wants
    wanted: dict[_Key, list[int]] = field(default_factory=lambda: defaultdict(list))

    def add_wanting(self, row: Mapping[str, Any]) -> None:
        """A row of the original."""
        self.keys[row["id"]] = self._key(row["open"], row)

    def add_wanted(self, row: Mapping[str, Any]) -> None:
        """A row of the copy."""
        for mask in self.closed:
            self.wanted[self._key(mask, row)].append(row["id"])

    def _key(self, mask: int, row: Mapping[str, Any]) -> _Key:
        cells = (row[name] for name in self.closed[mask])
        plain = (tuple(cell) if isinstance(cell, list) else cell for cell in cells)
        return mask, row["sid"], *plain


def rematched(contest: Contest, partners: Mapping[int, int]) -> dict[int, int]:
    """The pairs that have to change so that as many as possible have a partner."""
    of = {a: b for a, b in partners.items() if a in contest.keys}
    taken = {b: a for a, b in of.items()}
    hopeless: set[_Key] = set()  # lists from which no free row can be reached, now or later
    for row in contest.keys.keys() - of.keys():
        path = _path(contest, row, taken, hopeless)
        for a, b in path:
            of[a], taken[b] = b, a
    return {a: b for a, b in of.items() if partners.get(a) != b}


def _path(
    contest: Contest, row: int, taken: Mapping[int, int], hopeless: set[_Key]
) -> list[tuple[int, int]]:
    """Who takes which, so that `row` gets one and nobody loses theirs; empty if there is no way."""
    came: dict[int, int] = {}  # a row of the copy → who could take it
    walked: set[_Key] = set(hopeless)
    waiting = deque([row])
    had: dict[int, int] = {}  # who gave up which
    while waiting:
        asking = waiting.popleft()
        key = contest.keys[asking]
        if key in walked:
            continue
        walked.add(key)
        for b in contest.wanted.get(key, ()):
            if b in came:
                continue
            came[b] = asking
            holder = taken.get(b)
            if holder is None:
                return _back(b, came, had)
            had[holder] = b
            waiting.append(holder)
    hopeless |= walked
    return []


def _back(b: int, came: Mapping[int, int], had: Mapping[int, int]) -> list[tuple[int, int]]:
    path = []
    while True:
        a = came[b]
        path.append((a, b))
        if a not in had:
            return path
        b = had[a]
