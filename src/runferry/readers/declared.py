"""Which series of a run have been declared, and which are to be before their next row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from runferry.model import DataKind, KeyPath, Series, SeriesKeys, Stream


@dataclass
class Declared:
    """The series of a run: gives keys, and the facts to state before their first row.

    `applied` adds what the source says of a series apart from its rows.
    """

    keys: SeriesKeys
    given: dict[str, Series] = field(default_factory=dict)
    applied: Callable[[Series], Series] = lambda series: series

    @classmethod
    def after(
        cls, known: tuple[Series, ...], applied: Callable[[Series], Series] = lambda series: series
    ) -> Declared:
        """Begin with the series that an earlier read declared."""
        return cls(SeriesKeys(known), {series.key: series for series in known}, applied)

    def missing(self, key: str, path: KeyPath, stream: Stream, kind: DataKind) -> Series | None:
        """The series to declare, when this key has not been declared yet.

        One that has numbers besides other values is a scalar, whichever came first: what a batch
        gives first is not what was logged first.
        """
        known = self.given.get(key)
        if known is None:
            series = self.applied(Series(key, path, stream, kind))
        elif kind == "scalar" != known.kind:
            series = replace(known, kind=kind)
        else:
            return None
        self.given[key] = series
        return series

    def restated(self) -> tuple[Series, ...]:
        """Series whose facts have changed since they were declared."""
        changed = []
        for key, series in self.given.items():
            now = self.applied(series)
            if now != series:
                self.given[key] = now
                changed.append(now)
        return tuple(changed)
