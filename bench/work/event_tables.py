"""The facts of `event_facts` from our own Arrow tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc
from event_facts import Facts


def add_points(facts: Facts, points: pa.Table) -> None:
    """Of a table with `tag`, step, time, time_ns, value and seq."""
    for tag, rows in _by_tag(points):
        facts.add_scalars(tag, _numbers(rows["step"]), _numbers(rows["value"]))
    _add_times(facts, points)


def add_histograms(facts: Facts, histograms: pa.Table) -> None:
    """Of a table with `tag`, step, time, time_ns, edges, counts and seq."""
    for tag, rows in _by_tag(histograms):
        facts.add_histograms(tag, _numbers(rows["step"]), [_items(rows["counts"])])
        # the first edge of each is the source's least value, the others are its limits
        upper = pc.list_slice(rows["edges"], 1, return_fixed_size_list=False)
        facts.add_limits(tag, [_items(upper)])
    _add_times(facts, histograms)


def add_images(facts: Facts, media: pa.Table, contents: Sequence[bytes]) -> None:
    """Of a table with `tag`, step, time, time_ns and seq, and the images in its order."""
    numbered = media.append_column("number", pa.array(range(media.num_rows)))
    for tag, rows in _by_tag(numbered):
        inside = (contents[number] for number in rows["number"].to_pylist())
        facts.add_images(tag, _numbers(rows["step"]), inside)
    _add_times(facts, media)


def _by_tag(table: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    """The rows of each tag, in the order of their events."""
    for tag in pc.unique(table["tag"]).to_pylist():
        yield tag, table.filter(pc.equal(table["tag"], tag)).sort_by("seq")


def _numbers(column: pa.ChunkedArray) -> list[float]:
    return column.to_pylist()


def _items(lists: pa.ChunkedArray) -> list[float]:
    return pc.list_flatten(lists).to_pylist()


def _add_times(facts: Facts, table: pa.Table) -> None:
    facts.time_us_sum += sum(table["time"].cast(pa.int64()).to_pylist())
