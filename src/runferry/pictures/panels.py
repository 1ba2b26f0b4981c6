"""Which series of an archive are drawn, and on which panels; their rows are read once."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from runferry.archive.reading import batches
from runferry.errors import UsageError
from runferry.model import Inventory, Run, Series, SeriesCounts
from runferry.pictures.curves import Axis, AxisKind, Curve, Rows
from runferry.transfer.selection import Selection

if TYPE_CHECKING:
    import pyarrow as pa

    from runferry.archive.store import Archive

_COLUMNS = {
    "step": ["step", "step_frac"],
    "time": ["time", "time_ns"],
    "relative": ["time", "time_ns"],
    "row": [],
}


@dataclass(frozen=True, slots=True)
class Line:
    """One series of one run."""

    run: Run
    series: Series
    counts: SeriesCounts
    name: str = ""  # that tells it from the others of its panel
    curve: Curve | None = None  # once the panel is made

    @property
    def drawn(self) -> Curve:
        """The curve."""
        if self.curve is None:
            raise ValueError("a line without a panel")
        return self.curve


@dataclass(frozen=True, slots=True)
class Panel:
    """What shares one pair of axes."""

    title: str
    axis: Axis
    is_log: bool
    lines: tuple[Line, ...]

    @property
    def range(self) -> tuple[float, float] | None:
        """The lowest and the highest value of all lines; None where nothing can be drawn."""
        ranges = [found for line in self.lines if (found := line.drawn.range) is not None]
        if not ranges:
            return None
        return min(low for low, _ in ranges), max(high for _, high in ranges)


@dataclass(frozen=True, slots=True)
class Choice:
    """How series become panels."""

    axis: AxisKind | None = None  # None: steps where there are some, else times, else rows
    is_log: bool = False
    is_together: bool = False  # one panel for all
    most: int = 20  # lines


@dataclass
class Chosen:
    """The lines that will be drawn, and how many will not."""

    axis: AxisKind
    lines: list[Line] = field(default_factory=list)
    left_out: int = 0  # beyond the most that are drawn
    placeless: int = 0  # without a place on this axis


def choose(
    inventories: Iterable[Inventory], selection: Selection, choice: Choice, where: str
) -> Chosen:
    """The series of numbers that the selection takes; without globs those that the user logged.

    Raises UsageError when there are none.
    """
    found = [line for item in inventories for line in _lines(item, selection)]
    if not found:
        raise _nothing(selection.metrics, where)
    kind = choice.axis or _axis_for(found)
    chosen = Chosen(kind)
    placed = [line for line in found if Axis.of(kind, line.counts) is not None]
    chosen.placeless = len(found) - len(placed)
    if not placed:
        hint = f"runferry plot {shlex.quote(where)} --x row"
        raise UsageError(f"no series has a {kind} to be drawn along", where=where, hint=hint)
    longest: dict[str, int] = {}
    for line in placed:
        key = line.series.key
        longest[key] = max(line.counts.points, longest.get(key, 0))
    # stable: runs stay in their order
    placed.sort(key=lambda line: interest(line.series, longest[line.series.key]))
    chosen.lines, chosen.left_out = placed[: choice.most], max(0, len(placed) - choice.most)
    return chosen


def _nothing(globs: Sequence[str], where: str) -> UsageError:
    """A source was read for these series alone, so the names of others are not known here."""
    asked, hint = "", f"runferry inspect {shlex.quote(where)}"
    if globs:
        asked = f" matches --metric {', '.join(map(shlex.quote, globs))}"
        wider = shlex.quote(f"*{globs[0].strip('!*')}*")
        hint += f" tells the names; a glob is to fit all of one: --metric {wider}"
    return UsageError(f"no series of numbers{asked}: nothing to draw", where=where, hint=hint)


def _lines(item: Inventory, selection: Selection) -> Iterator[Line]:
    for series in item.series:
        if not selection.takes_series(series.key):
            continue
        if series.stream == "system" and not selection.metrics:
            continue
        for kind, counts in item.kinds_of(series):
            if kind == "scalar" and counts.points:
                yield Line(item.run, series, counts)


def _axis_for(lines: Sequence[Line]) -> AxisKind:
    if any(line.counts.min_step is not None for line in lines):
        return "step"
    return "relative" if any(line.counts.min_time_ns is not None for line in lines) else "row"


def panels(chosen: Chosen, choice: Choice, width: int) -> list[Panel]:
    """The panels, their curves still without rows; `width` columns of dots each."""
    starts: dict[str, int] = {}
    for line in chosen.lines:
        if line.counts.min_time_ns is not None:
            began = line.counts.min_time_ns // 1000
            starts[line.run.uid] = min(began, starts.get(line.run.uid, began))
    groups: dict[str, list[Line]] = {}
    for line in chosen.lines:
        groups.setdefault("" if choice.is_together else line.series.key, []).append(line)
    made = []
    for title, lines in groups.items():
        axes = [_own_axis(line, chosen.axis, starts) for line in lines]
        axis = axes[0]
        for other in axes[1:]:
            axis = axis.beside(other)
        named = [
            replace(line, name=name, curve=Curve(_at(axis, own), width, choice.is_log))
            for line, own, name in zip(lines, axes, names(lines), strict=True)
        ]
        made.append(Panel(title or _joined(lines), axis, choice.is_log, tuple(named)))
    return made


def _own_axis(line: Line, kind: AxisKind, starts: dict[str, int]) -> Axis:
    axis = Axis.of(kind, line.counts)
    if axis is None:
        raise ValueError("a line without a place")
    if kind != "relative":
        return axis
    start = starts[line.run.uid]
    return Axis(kind, start, axis.origin - start + axis.span)


def _at(shared: Axis, own: Axis) -> Axis:
    """The shared axis; of relative times each run has its own origin."""
    return replace(shared, origin=own.origin) if shared.kind == "relative" else shared


def _joined(lines: Sequence[Line]) -> str:
    return ", ".join(dict.fromkeys(line.series.key for line in lines))


def names(lines: Sequence[Line]) -> list[str]:
    """What tells the lines apart: key, run's name, or its id where names are alike."""
    keys = len({line.series.key for line in lines})
    runs = {line.run.uid: line.run for line in lines}
    alike = Counter(run.name or run.key.run_id for run in runs.values())

    def name(line: Line) -> str:
        run = line.run
        who = run.name or run.key.run_id
        who = f"{who} ({run.key.run_id})" if alike[who] > 1 and run.name else who
        if keys == 1:
            return who
        return line.series.key if len(runs) == 1 else f"{line.series.key}  {who}"

    return [name(line) for line in lines]


def draw(archive: Archive, made: Iterable[Panel]) -> None:
    """Read the rows of every run that has a line, once, a batch at a time."""
    runs: dict[str, list[Line]] = {}
    for panel in made:
        for line in panel.lines:
            runs.setdefault(line.run.uid, []).append(line)
    for lines in runs.values():
        record = archive.record(lines[0].run.uid)
        if record is None:
            continue  # taken out of the archive since it was listed
        axis = lines[0].drawn.axis.kind
        columns = ["key", *_COLUMNS[axis], "value", "seq"]
        curves = {line.series.key: line.drawn for line in lines}
        for batch in batches(archive.path, record.of("points"), columns=columns):
            feed(curves, batch)


def feed(curves: dict[str, Curve], batch: pa.RecordBatch) -> None:
    """Give every curve its rows of a batch; `curves` by key."""
    import numpy as np

    column = batch.column("key")
    codes = column.indices.to_numpy(zero_copy_only=False)
    keys = column.dictionary.to_pylist()
    order = np.argsort(codes, kind="stable")  # the rows of each key, in their order
    begins = np.flatnonzero(np.diff(codes[order], prepend=-1)).tolist()
    sorted_by_key: dict[AxisKind, Rows] = {}
    for begin, end in pairwise([*begins, len(order)]):
        curve = curves.get(keys[codes[order[begin]]])
        if curve is None:
            continue
        kind = curve.axis.kind
        if kind not in sorted_by_key:
            sorted_by_key[kind] = Rows.of(batch, kind).at(order)
        curve.add(sorted_by_key[kind].at(slice(begin, end)))


def interest(series: Series, points: int) -> tuple[bool, bool, int, str]:
    """Orders series: the user's before the tracker's own and the system's, the longest first."""
    return series.stream == "system", series.key.startswith("_"), -points, series.key
