"""How many rows have an iteration above all before them in their series."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Rising:
    """Remembers the highest iteration of each series, and no more."""

    def __init__(self) -> None:
        self._highest: dict[Hashable, int] = {}

    def is_new(self, place: Hashable, step: int) -> bool:
        """Whether one row rises."""
        highest = self._highest.get(place)
        if highest is not None and step <= highest:
            return False
        self._highest[place] = step
        return True

    def count(self, names: Sequence[str], codes: NDArray[Any], steps: NDArray[np.int64]) -> int:
        """How many rows of a batch rise; `codes` are places in `names`."""
        order = np.argsort(codes, kind="stable")
        found, starts = np.unique(codes[order], return_index=True)
        rising = 0
        for code, mine in zip(found, np.split(steps[order], starts[1:]), strict=True):
            name = names[int(code)]
            known = self._highest.get(name)
            first = 1 if known is None else int(mine[0] > known)
            above = np.maximum.accumulate(mine if known is None else np.maximum(mine, known))
            rising += first + int((above[1:] > above[:-1]).sum())
            self._highest[name] = int(above[-1])
        return rising
