"""The two sides of one run: which series is which, what differs, and under which code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Literal, Protocol

from runferry import chunks
from runferry.chunks import Chunk
from runferry.losses import Fate, Loss
from runferry.model import Run, Series
from runferry.transfer.compare import Difference
from runferry.transfer.facts import Facts, fact_differences
from runferry.transfer.plan import RunPlan
from runferry.transfer.rows import rekeyed
from runferry.transfer.selection import EVERYTHING, Selection


class Rows(Protocol):
    """Compares rows: `Lockstep` or `RowComparison`."""

    rows: int

    def add(self, side: Literal["a", "b"], chunk: Chunk, numbers: Mapping[str, int]) -> None:
        """Rows of one side."""
        ...

    def differences(self) -> Iterator[Difference]:
        """Everything in which the sides differ."""
        ...


class Sides:
    """Takes the chunks of both sides, the original's first."""

    def __init__(
        self,
        comparison: Rows,
        plan: RunPlan,
        original: Run,
        copy: Run,
        selection: Selection = EVERYTHING,
    ) -> None:
        self._selection = selection
        self._comparison = comparison
        self._plan = plan
        self._keys: dict[int, str] = {0: ""}  # console lines and raw records are of no series
        self._numbers: dict[str, int] = {}  # of the original's keys
        self._copy_numbers: dict[str, int] = {}  # of the copy's keys
        self._originals = {name: key for key, name in plan.series.items()}
        self.original = Facts(original)
        self.copy = Facts(copy)

    @property
    def rows(self) -> int:
        """How many rows the original has."""
        return self._comparison.rows

    def add_original(self, chunk: Chunk) -> None:
        """A chunk of the original; series that the user did not choose do not count."""
        match chunk:
            case chunks.SeriesFacts(items):
                for series in items:
                    if self._selection.takes_series(series.key):
                        self._number_original(series)
            case _:
                self.original.add(chunk)
                self._add("a", _chosen(chunk, self._selection), self._numbers)

    def add_copy(self, chunk: Chunk) -> None:
        """A chunk of the copy."""
        match chunk:
            case chunks.SeriesFacts(items):
                for series in items:
                    self._number_copy(series)
            case _:
                self.copy.add(chunk)
                self._add("b", chunk, self._copy_numbers)

    def _add(self, side: Literal["a", "b"], chunk: Chunk, numbers: dict[str, int]) -> None:
        for key in _keys(chunk):
            if key not in numbers:  # a reader that did not declare it; its rows count all the same
                if side == "a":
                    self._number_original(Series(key, (key,)))
                else:
                    self._number_copy(Series(key, (key,)))
        self._comparison.add(side, chunk, numbers)

    def _number_original(self, series: Series) -> None:
        if series.key not in self._numbers:
            self._numbers[series.key] = len(self._keys)
            self._keys[len(self._keys)] = series.key
        self.original.series[series.key] = series

    def _number_copy(self, series: Series) -> None:
        """By the original key it states, by its key, or by the name that the plan gave."""
        names = (series.original_key, series.key, self._originals.get(series.key))
        key = next((name for name in names if name in self._numbers), None)
        if key is None:
            key = f"{series.key} (there)" if series.key in self._keys.values() else series.key
            number = self._copy_numbers.get(series.key, len(self._keys))
            self._keys[number] = key
        else:
            number = self._numbers[key]
        self._copy_numbers[series.key] = number
        self.copy.series[key] = series

    def differences(self, ids: Mapping[str, str]) -> Iterator[Loss]:
        """Everything in which the copy differs; `ids` gives the original's id for a copy's."""
        yield from fact_differences(self.original, self.copy, self._plan, ids)
        for difference in self._comparison.differences():
            yield self._loss(difference)

    def _loss(self, difference: Difference) -> Loss:
        where, code = self._keys[difference.series], difference.code
        if difference.way == "changed":
            return Loss(code, Fate.ROUNDED, where, difference.rows)
        if difference.kind == "console":  # has no address by which a part of it could be told
            detail = f"lines that are {difference.way}"
            return Loss("console", Fate.DROPPED, where, difference.rows, detail)
        if difference.way == "invented":
            detail = f"{difference.kind} rows that the original does not have"
            return Loss(code, Fate.DROPPED, where, difference.rows, detail)
        if not self._plan.holds(difference.kind):
            return Loss(difference.kind, Fate.DROPPED, where, difference.rows)
        fate = Fate.MERGED if code == "duplicate-point" else Fate.DROPPED
        return Loss(code, fate, where, difference.rows)


def _keys(chunk: Chunk) -> list[str]:
    match chunk:
        case chunks.Points(batch) | chunks.Texts(batch) | chunks.Histograms(batch):
            keys: list[str] = batch.column("key").dictionary.to_pylist()
            return keys
        case chunks.Media(items):
            return [item.key for item in items]
        case _:
            return []


def _chosen(chunk: Chunk, selection: Selection) -> Chunk:
    if not selection.metrics:
        return chunk

    def name_of(key: str) -> str | None:
        return key if selection.takes_series(key) else None

    match chunk:
        case chunks.Points(batch) | chunks.Texts(batch) | chunks.Histograms(batch):
            return replace(chunk, batch=rekeyed(batch, name_of))
        case chunks.Media(items):
            return chunks.Media(tuple(item for item in items if name_of(item.key)))
        case _:
            return chunk
