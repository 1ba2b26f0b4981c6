"""Ids that runs of this process get at a place: several workers choose at the same time."""

from __future__ import annotations

import threading
from typing import Final

from runferry.model import Uid


class ChosenIds:
    """Who was first to choose an id; a run that is not seen yet has none but this."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owners: dict[tuple[str, str], Uid] = {}

    def choose(self, place: str, wished: str, uid: Uid) -> str:
        """The wished id, unless another run has chosen it for this place; then the mark."""
        with self._lock:
            owner = self._owners.setdefault((place, wished), uid)
        return wished if owner == uid else uid


CHOSEN_IDS: Final = ChosenIds()
"""Of all writers of this process: each worker has one of its own."""
