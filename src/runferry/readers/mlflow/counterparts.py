"""Compares the bundle's rows with MLflow's own, in bounded memory and by columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from runferry.dialects.mlflow.points import NativePoints, Passes, contains, sorted_hashes

if TYPE_CHECKING:
    from numpy.typing import NDArray

Rows = Callable[[], Iterator[NativePoints]]
"""The same batches on every call."""


class Counterparts:
    """Which rows of the bundle MLflow still holds, and which of MLflow's the bundle lacks."""

    def __init__(self, native: Rows, bundle: Rows, expected: int) -> None:
        """`expected` is about how many rows either side has: it decides how many passes to take."""
        self._native = native
        self._held: list[NDArray[np.uint8]] = []  # one bit a row of the bundle, by batch
        strangers = []
        self._passes = Passes(expected)
        for number in range(self._passes.count):
            strangers.append(self._compare(bundle, number))
        self._strangers = np.sort(np.concatenate(strangers))

    def _compare(self, bundle: Rows, number: int) -> NDArray[np.uint64]:
        """One pass over those rows whose hash falls to it; MLflow's rows that the bundle lacks."""
        native = sorted_hashes(self._passes.of(b.fingerprints(), number) for b in self._native())
        seen = []
        for index, batch in enumerate(bundle()):
            hashes = batch.fingerprints()
            seen.append(self._passes.of(hashes, number))
            held = contains(native, hashes)  # a row of another pass is found there, not here
            if index == len(self._held):
                self._held.append(np.packbits(held))
            else:
                self._held[index] |= np.packbits(held)
        return native[~contains(sorted_hashes(iter(seen)), native)]

    def held(self, index: int, rows: int) -> NDArray[np.bool_]:
        """For each row of the bundle's batch `index`, whether MLflow still holds it."""
        return np.unpackbits(self._held[index], count=rows).astype(np.bool_)

    def strangers(self) -> Iterator[NativePoints]:
        """MLflow's rows that the bundle does not know."""
        if not len(self._strangers):
            return
        for batch in self._native():
            rows = contains(self._strangers, batch.fingerprints())
            if rows.any():
                yield batch.take(rows)
