"""What earlier sendings of a run left in MLflow that the current one no longer has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, cast

from runferry.dialects import codec
from runferry.dialects.codec import FOREIGN
from runferry.dialects.mlflow.artifacts import ArtifactFolder
from runferry.dialects.mlflow.attributes import param_name, spelled
from runferry.dialects.mlflow.bundle import (
    UNREADABLE,
    Part,
    count_rows,
    read_batches,
    read_tree,
)
from runferry.dialects.mlflow.points import Passes, contains, sorted_hashes
from runferry.model import Run, Tree
from runferry.ports import BATCH_ROWS
from runferry.tables import POINTS
from runferry.writers.mlflow.backend import Batch

if TYPE_CHECKING:
    import pyarrow as pa

    from runferry.dialects.mlflow.points import NativePoints

Spell = Callable[["pa.RecordBatch"], "NativePoints"]
"""What MLflow holds of some rows."""


def superseded(
    folder: ArtifactFolder, earlier: Sequence[Part], current: Sequence[Part], spell: Spell
) -> Iterator[Batch]:
    """Rows and params of the earlier parts that the current ones lack."""
    if not earlier:
        return
    if any(part.kind == "points" for part in earlier):
        yield from _stale_points(folder, earlier, current, spell)
    params = _params_in(folder, earlier)
    for name in _params_in(folder, current):
        params.pop(name, None)
    if params:
        yield Batch(params=params)


def _stale_points(
    folder: ArtifactFolder, earlier: Sequence[Part], current: Sequence[Part], spell: Spell
) -> Iterator[Batch]:
    passes = Passes(max(_rows_in(folder, parts) for parts in (earlier, current)))
    for number in range(passes.count):
        kept = sorted_hashes(
            passes.of(points.fingerprints(), number)
            for points in _points_in(folder, current, spell)
        )
        for points in _points_in(folder, earlier, spell):
            hashes = points.fingerprints()
            stale = passes.has(hashes, number) & ~contains(kept, hashes)
            if stale.any():
                yield Batch(points=points.take(stale))


def _rows_in(folder: ArtifactFolder, parts: Sequence[Part]) -> int:
    """No fewer than there are; counted where they could be many."""
    found = [part for part in parts if part.kind == "points"]
    most = len(found) * BATCH_ROWS
    if Passes(most).count == 1:
        return most
    return sum(count_rows(folder.blob(part.entry)) for part in found)


def _points_in(
    folder: ArtifactFolder, parts: Sequence[Part], spell: Spell
) -> Iterator[NativePoints]:
    for part in parts:
        if part.kind == "points":
            for batch in read_batches(folder.blob(part.entry), POINTS, BATCH_ROWS):
                yield spell(batch)


def _params_in(folder: ArtifactFolder, parts: Sequence[Part]) -> dict[str, str]:
    found = {}
    for part in parts:
        if part.kind == "attributes":
            trees = cast("list[Tree]", read_tree(folder.blob(part.entry)))
            for attribute in map(codec.attribute_of, trees):
                if attribute.role == "config":
                    found[param_name(attribute)] = spelled(attribute.value)
    return found


def headers_in(folder: ArtifactFolder, parts: Iterable[Part]) -> Iterator[Run]:
    """The headers among the parts that can be read.

    The others are passed over, as by the reader: the run's last header is whole, and of a tag that
    only a damaged one made nothing tells any more that it is ours to remove.
    """
    for part in parts:
        if part.kind != "header":
            continue
        try:
            yield codec.run_of(read_tree(folder.blob(part.entry)))
        except (*UNREADABLE, *FOREIGN):
            continue
