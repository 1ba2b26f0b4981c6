"""A curve in a few letters, as `inspect` has it beside each series."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from runferry.cli.session import Session
from runferry.errors import ArchiveError
from runferry.model import DataKind, Run, Series, SeriesCounts

if TYPE_CHECKING:
    from runferry.archive.store import Archive
    from runferry.pictures.curves import Curve

CELLS = 12
"""The least that a curve is drawn in."""
_MOST_ROWS = 2_000_000
"""Of a run that has more, no curve is drawn: reading them takes longer than a look may."""


def curves_of(
    session: Session,
    archive: Archive,
    run: Run,
    series: Iterable[tuple[Series, DataKind, SeriesCounts]],
    cells: int = CELLS,
) -> dict[str, str]:
    """By key, the scalar series as dots of braille in so many cells; every value has its dot.

    Nothing where the terminal has no braille, of runs with very many rows, and of damaged ones.
    """
    from runferry.archive.reading import batches
    from runferry.cli.dots import COLUMNS, ROWS, dots, letters
    from runferry.pictures.curves import Axis, Curve
    from runferry.pictures.panels import feed
    from runferry.pictures.scales import Scale

    record = archive.record(run.uid)
    if record is None or not session.can_spell("⣿"):
        return {}
    segments = record.of("points")
    if sum(segment.rows for segment in segments) > _MOST_ROWS:
        return {}
    curves: dict[str, Curve] = {}
    for item, kind, counts in series:
        axis = Axis.of("step", counts) or Axis.of("row", counts)
        if kind == "scalar" and counts.points > 1 and axis is not None:
            curves[item.key] = Curve(axis, cells * COLUMNS)
    if not curves:
        return {}
    columns = ["key", "step", "step_frac", "value", "seq"]
    try:
        for batch in batches(archive.path, segments, columns=columns):
            feed(curves, batch)
    except ArchiveError as error:
        session.note(f"warning: no curves are drawn: {error.what}: {error.where}")
        return {}
    return {
        key: letters(dots(curve, Scale(*found), ROWS))[0]
        for key, curve in curves.items()
        if (found := curve.range) is not None
    }
