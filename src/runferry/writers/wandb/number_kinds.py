"""Of which kind the numbers of a series are: W&B's JSON does not tell a whole float from an int."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa

from runferry.dialects.wandb.service_copy import Kinds, is_whole
from runferry.losses import Fate, Loss
from runferry.tables import POINT_KINDS

_WHY: Final = "W&B's service gives numbers of several kinds back as those of one"
_NULL: Final = POINT_KINDS.index("null")
_BOOL: Final = "bool"
_FRACTION, _WHOLE = range(2)


@dataclass
class NumberKinds:
    """The numbers of each series by whether they are whole, and by kind; nulls apart."""

    found: dict[tuple[str, int], Counter[str]] = field(default_factory=dict)

    def look_at(self, rows: pa.RecordBatch) -> None:
        """Rows of `tables.POINTS`."""
        keys, kinds = rows.column("key"), rows.column("kind")
        names = keys.dictionary.to_pylist()
        words = np.array([POINT_KINDS.index(word) for word in kinds.dictionary.to_pylist()])
        words = words[kinds.indices.to_numpy()]
        series = keys.indices.to_numpy().astype(np.int64)
        whole = is_whole(rows.column("value"))
        places = (series * 2 + whole) * len(POINT_KINDS) + words
        for place, count in zip(
            *np.unique(places[words != _NULL], return_counts=True), strict=True
        ):
            at, word = divmod(int(place), len(POINT_KINDS))
            of_series = self.found.setdefault((names[at // 2], at % 2), Counter())
            of_series[POINT_KINDS[word]] += int(count)

    def of(self, key: str) -> Kinds:
        """By which of them the numbers of a series are given back."""
        return Kinds(self._given_back(key, _WHOLE), self._given_back(key, _FRACTION))

    def _given_back(self, key: str, size: int) -> str | None:
        """The only kind; of several integers, as W&B itself has them, else the most frequent.

        W&B tells truth values from numbers by itself.
        """
        counts = self.found.get((key, size), Counter())
        numbers = [kind for kind in counts if kind != _BOOL]
        given = max(numbers, key=lambda kind: (kind == "int", counts[kind], kind), default=None)
        return _BOOL if given is None and counts else given

    def losses(self) -> Iterator[Loss]:
        """The numbers that are of another kind than the one that they are given back as."""
        others: Counter[str] = Counter()
        for (key, size), counts in self.found.items():
            same = (self._given_back(key, size), _BOOL)
            others[key] += sum(count for kind, count in counts.items() if kind not in same)
        for key, count in others.items():
            if count:
                yield Loss("number-kind", Fate.ROUNDED, key, count, _WHY)
