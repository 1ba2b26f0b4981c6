"""How many rows have an iteration above all before them in their series."""

from __future__ import annotations

from collections.abc import Hashable


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
