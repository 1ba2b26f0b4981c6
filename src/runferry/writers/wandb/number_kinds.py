"""Of which kind the numbers of a series are: W&B's JSON does not tell a whole float from an int."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa

from runferry.losses import Fate, Loss
from runferry.tables import POINT_KINDS

_WHY: Final = "W&B's service gives floats without a fraction back as integers"
_NULL: Final = "null"


@dataclass
class NumberKinds:
    """The kinds of each series, by its key; nulls apart."""

    found: dict[str, set[str]] = field(default_factory=dict)
    points: Counter[str] = field(default_factory=Counter)

    def look_at(self, rows: pa.RecordBatch) -> None:
        """Rows of `tables.POINTS`."""
        keys, kinds = rows.column("key"), rows.column("kind")
        names, words = keys.dictionary.to_pylist(), kinds.dictionary.to_pylist()
        pairs = keys.indices.to_numpy().astype(np.int64) * len(POINT_KINDS)
        places, counts = np.unique(pairs + kinds.indices.to_numpy(), return_counts=True)
        for place, count in zip(places.tolist(), counts.tolist(), strict=True):
            name, word = names[place // len(POINT_KINDS)], words[place % len(POINT_KINDS)]
            self.points[name] += count
            if word != _NULL:
                self.found.setdefault(name, set()).add(word)

    def uniform(self) -> Iterator[tuple[str, str]]:
        """The series whose numbers are all of one kind, and which."""
        for key, kinds in self.found.items():
            if len(kinds) == 1:
                yield key, next(iter(kinds))

    def losses(self) -> Iterator[Loss]:
        """What is told of all others."""
        for key, kinds in self.found.items():
            if len(kinds) > 1:
                yield Loss("number-kind", Fate.ROUNDED, key, self.points[key], _WHY)
