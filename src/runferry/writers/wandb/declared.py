"""Series as W&B is told of them: where their rows go, and what `define_metric` would have said."""

from __future__ import annotations

from collections.abc import Iterator

from runferry.chunks import SeriesFacts
from runferry.dialects.wandb.own_files import ADDRESSES
from runferry.losses import Fate, Loss
from runferry.model import KeyPath, Series, Stream, Tree
from runferry.writers.wandb import messages
from runferry.writers.wandb.addresses import Addresses
from runferry.writers.wandb.records import Records


class DeclaredSeries:
    """The series of one run."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._addresses = {"user": Addresses(), "system": Addresses()}
        self._series: dict[str, Series] = {}

    def declare(self, items: tuple[Series, ...]) -> None:
        """Say where the rows of these go, and what is known of them."""
        places: list[Tree] = []
        for series in items:
            self._series[series.key] = series
            address = self.address(series.key)
            self._records.log.declare(series.key, address, series.stream == "system")
            places.append([series.stream, [*address], series.key])
        self._records.own(ADDRESSES, places)
        self._records.keep(SeriesFacts(items))
        for series in items:
            if series.stream == "user":
                self._define(series)

    def address(self, key: str) -> KeyPath:
        """Where in W&B a series lies; statistics have one name."""
        series = self._series[key]
        if series.stream == "system":
            return (key,)
        return self._addresses[series.stream].of(key, series.path)

    def __iter__(self) -> Iterator[str]:
        return iter(self._series)

    def elsewhere(self) -> Iterator[Loss]:
        """The series that lie at another path than their own."""
        for key, series in self._series.items():
            original = key if series.original_key is None else series.original_key
            if self.address(key) != series.path:
                yield Loss("key-path", Fate.ROUNDED, original, 1, "its path is its name there")

    def place(self, key: str) -> tuple[Stream, KeyPath]:
        """Stream and address of a series."""
        return self._series[key].stream, self.address(key)

    def is_user(self, key: str) -> bool:
        """Whether the user logged it."""
        return self._series[key].stream == "user"

    def _define(self, series: Series) -> None:
        axis = series.x_axis
        known = None if axis is None else self._addresses["user"].get(axis) or (axis,)
        message = messages.metric(series, self.address(series.key), known)
        if message is not None:
            self._records.put(messages.METRIC, message)
