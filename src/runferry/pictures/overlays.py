"""Curves before and after: what the archive holds of a run, and what its destination gives back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runferry import chunks, registry
from runferry.errors import RunferryError
from runferry.model import Run, Series, SeriesCounts
from runferry.pictures.curves import Axis, Curve
from runferry.pictures.panels import feed, interest
from runferry.pictures.told import ToldRun
from runferry.ports import Location, Reader, ReadOptions
from runferry.transfer.destination import limits_at
from runferry.transfer.incoming import conformed
from runferry.transfer.measure import Pairs
from runferry.transfer.plan import plan
from runferry.transfer.progress import StopToken
from runferry.transfer.selection import Selection, chosen

if TYPE_CHECKING:
    from runferry.archive.record import RunRecord
    from runferry.archive.store import Archive

COLUMNS = 200
"""Columns of dots of a curve."""

_SERIES = 6
"""Curves of one run."""


@dataclass(frozen=True, slots=True)
class Overlay:
    """One series before and after; `after` is None where the run could not be read back."""

    key: str
    before: Curve
    after: Curve | None

    @property
    def is_alike(self) -> bool:
        """Whether both are the same picture, of as many values."""
        if self.after is None:
            return False
        return (
            self.before.points == self.after.points
            and self.before.oddities == self.after.oddities
            and list(self.before.strokes()) == list(self.after.strokes())
        )


@dataclass(frozen=True, slots=True)
class Compared:
    """The curves of one run, and why there is nothing to compare them with."""

    run: ToldRun
    overlays: tuple[Overlay, ...]
    left_out: int  # series of numbers that are not drawn
    why_not: str = ""
    why_unread: str = ""  # why there is nothing at all


def rank(runs: Sequence[ToldRun]) -> list[ToldRun]:
    """Those whose curves one wants to see come first: differing, lossy, then the largest."""
    order = {"differs": 0, "foretold": 1}

    def key(run: ToldRun) -> tuple[int, int, int]:
        worst = max((loss.fate for loss in (*run.unexpected, *run.losses)), default=0)
        return order.get(run.verdict, 2), -int(worst), -run.rows

    return sorted((run for run in runs if not run.error), key=key)


def compared(
    archive: Archive,
    destination: Location,
    runs: Sequence[ToldRun],
    selection: Selection,
    options: ReadOptions,
    stop: StopToken,
) -> Iterator[Compared]:
    """The curves of these runs, one run at a time; what cannot be read back is told."""
    wanted = [run for run in runs if run.remote]
    headers = [record.run for run in wanted if (record := archive.record(run.uid)) is not None]
    reader, pairs, why_not = _opened(destination, headers, options, stop)
    with closing(reader) if reader is not None else nullcontext():
        for run in runs:
            record = archive.record(run.uid)
            if record is None or stop.is_set:
                continue
            found = () if pairs is None else pairs.by_uid.get(run.uid, ())
            told = why_not or ("" if found else "the run is not there")
            try:
                drawing = _Drawing(archive, record, destination, selection, run)
            except RunferryError as error:
                yield Compared(run, (), 0, why_unread=f"the archive cannot be read: {error.what}")
                continue
            if reader is not None and found and not told:
                told = drawing.read_back(reader, found[0])
            yield drawing.compared(told)


def _opened(
    destination: Location, headers: Sequence[Run], options: ReadOptions, stop: StopToken
) -> tuple[Reader | None, Pairs | None, str]:
    if not registry.is_readable(destination):
        return None, None, "this destination cannot be read back"
    if not headers:
        return None, None, "nothing was sent"
    kind = registry.reader(destination.tracker)
    try:
        pairs = Pairs.of(lambda: kind.open(destination, options), headers, stop)
        return kind.open(destination, options), pairs, ""
    except RunferryError as error:
        return None, None, f"it could not be read back: {error.what}"


class _Drawing:
    def __init__(
        self,
        archive: Archive,
        record: RunRecord,
        destination: Location,
        selection: Selection,
        run: ToldRun,
    ) -> None:
        from runferry.archive.reading import batches

        self.run = run
        sent = chosen(archive.inventory(record), selection)
        self._names = {name: key for key, name in plan(sent, limits_at(destination)).series.items()}
        numbers = [
            (series, counts)
            for series in sent.series
            for kind, counts in sent.kinds_of(series)
            if kind == "scalar" and counts.points
        ]
        numbers.sort(key=_interest(run))
        self._left_out = max(0, len(numbers) - _SERIES)
        self.before = {series.key: _curve(counts) for series, counts in numbers[:_SERIES]}
        self.after = {key: Curve(curve.axis, COLUMNS) for key, curve in self.before.items()}
        for batch in batches(archive.path, record.of("points")):
            feed(self.before, batch)

    def read_back(self, reader: Reader, copy: Run) -> str:
        """Draws what the destination gives; why that ended, if it did."""
        own: dict[str, Curve] = {}
        try:
            for chunk in reader.read(copy):
                match chunk:
                    case chunks.SeriesFacts(items):
                        for series in items:
                            self._meet(series, own)
                    case chunks.Points():
                        feed(own, conformed(chunk).batch)
                    case _:
                        pass
        except RunferryError as error:
            return f"it could not be read back: {error.what}"
        return ""

    def _meet(self, series: Series, own: dict[str, Curve]) -> None:
        names = (series.original_key, series.key, self._names.get(series.key))
        key = next((name for name in names if name in self.after), None)
        if key is not None:
            own[series.key] = self.after[key]

    def compared(self, why_not: str) -> Compared:
        """What was drawn."""
        overlays = tuple(
            Overlay(key, curve, None if why_not else self.after[key])
            for key, curve in self.before.items()
        )
        return Compared(self.run, overlays, self._left_out, why_not)


def _interest(run: ToldRun) -> Callable[[tuple[Series, SeriesCounts]], tuple[object, ...]]:
    """What something was lost of comes first, then the user's, then the longest."""
    places = {loss.where for loss in (*run.unexpected, *run.losses)}

    def key(item: tuple[Series, SeriesCounts]) -> tuple[object, ...]:
        series, counts = item
        return series.key not in places, *interest(series, counts.points)

    return key


def _curve(counts: SeriesCounts) -> Curve:
    axis = Axis.of("step", counts) or Axis.of("time", counts) or Axis.of("row", counts)
    if axis is None:
        raise ValueError("a series without rows")
    return Curve(axis, COLUMNS)
