"""Which names series have in SwanLab: a key is of one type, and the machine's own are marked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runferry.dialects.swanlab.names import COLUMN, COLUMN_TYPES, SYSTEM_PREFIX
from runferry.losses import Fate, Loss
from runferry.model import Series
from runferry.writers.swanlab import messages

if TYPE_CHECKING:
    from runferry._native import SwanlabLog


@dataclass(frozen=True, slots=True)
class Column:
    """A series as SwanLab knows it."""

    lane: str
    """Its key for `SwanlabLog`: unique, whatever its kind."""
    name: str


class Columns:
    """Declares each column before its first row. Who comes first to a name has it."""

    def __init__(self, log: SwanlabLog, series: Mapping[str, Series]) -> None:
        self._log = log
        self._series = series
        self._columns: dict[tuple[str, int], Column] = {}
        self._first: dict[str, int] = {}  # type of a key's first values
        self._taken: set[str] = set()
        self.retyped: list[Loss] = []
        self.originals: dict[str, str] = {}
        """Names that are not those of the run, and what the run has there."""

    def of(self, key: str, column_type: int) -> Column:
        """The column of a key's values of this type."""
        known = self._columns.get((key, column_type))
        if known is not None:
            return known
        series = self._series.get(key) or Series(key, (key,))
        is_system = series.stream == "system"
        original = series.original_key or key
        plain = original if is_system and original.startswith(SYSTEM_PREFIX) else key
        if is_system and not plain.startswith(SYSTEM_PREFIX):
            plain = SYSTEM_PREFIX + plain
        name = self._named(key, plain, column_type)
        first = self._first.setdefault(key, column_type)
        if first != column_type:
            word = COLUMN_TYPES[first][0]
            detail = f"a key of SwanLab has one type, and this is of {word}; shown as {name}"
            self.retyped.append(Loss("key-type", Fate.RENAMED, key, 1, detail))
        if name != original and name != SYSTEM_PREFIX + original:
            self.originals[name] = original
        lane = key if column_type == 1 else f"{column_type}\0{key}"
        column = self._columns[key, column_type] = Column(lane, name)
        self._log.declare(lane, name)
        spelled = messages.column(
            name,
            column_type,
            is_system=is_system,
            x_axis=self._axis(series, column_type),
            is_hidden=series.hidden,
        )
        self._log.record(COLUMN, spelled)
        return column

    def _axis(self, series: Series, column_type: int) -> str | None:
        """Only scalars may have an axis of their own, and it is another scalar's name."""
        if series.x_axis is None or column_type != 1:
            return None
        other = self._series.get(series.x_axis)
        is_known = other is not None and other.stream == "user"
        return self._axis_name(series.x_axis) if is_known else None

    def _axis_name(self, key: str) -> str:
        """What a scalar is called that is the axis of another."""
        return key

    def _named(self, key: str, plain: str, column_type: int) -> str:
        """The name of a column of `key`, which is `plain` if that is free."""
        del key
        return self._free(plain, column_type)

    def _free(self, plain: str, column_type: int) -> str:
        name, copies = plain, 1
        while name in self._taken:
            copies += 1
            word = COLUMN_TYPES[column_type][0]
            name = f"{plain} ({word})" if copies == 2 else f"{plain} ({word} {copies})"
        self._taken.add(name)
        return name
