"""What earlier sendings of a run left in MLflow that the current one no longer has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from runferry.dialects import codec
from runferry.dialects.codec import FOREIGN
from runferry.dialects.mlflow.artifacts import ArtifactFolder
from runferry.dialects.mlflow.attributes import param_name, spelled
from runferry.dialects.mlflow.bundle import (
    UNREADABLE,
    Part,
    read_tree,
)
from runferry.dialects.mlflow.points import Passes, contains, sorted_hashes
from runferry.model import Run
from runferry.ports import BATCH_ROWS
from runferry.writers.mlflow.backend import Batch
from runferry.writers.mlflow.left_parts import LeftParts, Spell


def superseded(
    left: LeftParts, earlier: Sequence[Part], current: Sequence[Part], spell: Spell
) -> Iterator[Batch]:
    """Rows and params of the earlier parts that the current ones lack."""
    if not earlier:
        return
    if any(part.kind == "points" for part in earlier):
        yield from _stale_points(left, earlier, current, spell)
    params = _params_in(left, earlier)
    for name in _params_in(left, current):
        params.pop(name, None)
    if params:
        yield Batch(params=params)


def _stale_points(
    left: LeftParts, earlier: Sequence[Part], current: Sequence[Part], spell: Spell
) -> Iterator[Batch]:
    passes = Passes(max(_rows_in(left, parts) for parts in (earlier, current)))
    for number in range(passes.count):
        kept = sorted_hashes(
            passes.of(points.fingerprints(), number) for points in left.points(current, spell)
        )
        for points in left.points(earlier, spell):
            hashes = points.fingerprints()
            stale = passes.has(hashes, number) & ~contains(kept, hashes)
            if stale.any():
                yield Batch(points=points.take(stale))


def _rows_in(left: LeftParts, parts: Sequence[Part]) -> int:
    """No fewer than there are; counted where they could be many."""
    most = sum(part.kind == "points" for part in parts) * BATCH_ROWS
    return most if Passes(most).count == 1 else left.count_points(parts)


def _params_in(left: LeftParts, parts: Sequence[Part]) -> dict[str, str]:
    attributes = left.members(parts, "attributes", codec.attribute_of)
    return {param_name(one): spelled(one.value) for one in attributes if one.role == "config"}


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
