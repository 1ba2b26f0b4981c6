"""What a push before this one, or this one before it was interrupted, left in a run's bundle.

Unlike the reader, which returns what MLflow itself holds in place of a damaged part, a writer has
to know what the part said: what to take away, and what the next seal is to name. So it refuses the
run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeVar, cast

import pyarrow as pa

from runferry.dialects.codec import FOREIGN
from runferry.dialects.mlflow.artifacts import ArtifactFolder, Entry
from runferry.dialects.mlflow.bundle import UNREADABLE, Part, count_rows, read_batches, read_tree
from runferry.errors import Refused
from runferry.model import Tree
from runferry.ports import BATCH_ROWS, RemoteId
from runferry.tables import POINTS

if TYPE_CHECKING:
    from runferry.dialects.mlflow.points import NativePoints

Spell = Callable[[pa.RecordBatch], "NativePoints"]
"""What MLflow holds of some rows."""

_Decoded = TypeVar("_Decoded")

_NOT_OURS: Final = (pa.ArrowException, *UNREADABLE, *FOREIGN)


class LeftParts:
    """Reads parts of one run. Everything raises Refused where a part is not as it was written."""

    def __init__(self, folder: ArtifactFolder, run_id: RemoteId) -> None:
        self._folder = folder
        self._run_id = run_id

    def named_by(self, seal: Entry) -> frozenset[str]:
        """The paths of the parts that a seal names."""
        with self._whole(seal):
            return frozenset(cast("dict[str, Tree]", read_tree(self._folder.blob(seal))).keys())

    def members(
        self, parts: Iterable[Part], kind: str, decode: Callable[[Tree], _Decoded]
    ) -> Iterator[_Decoded]:
        """The members of the lists that the parts of a kind are."""
        for part in parts:
            if part.kind == kind:
                with self._whole(part.entry):
                    trees = cast("list[Tree]", read_tree(self._folder.blob(part.entry)))
                    decoded = [decode(tree) for tree in trees]
                yield from decoded

    def points(self, parts: Iterable[Part], spell: Spell) -> Iterator[NativePoints]:
        """What MLflow holds of the points that the parts have, a batch at a time."""
        for part in parts:
            if part.kind == "points":
                with self._whole(part.entry):
                    blob = self._folder.blob(part.entry)
                    spelled = [spell(batch) for batch in read_batches(blob, POINTS, BATCH_ROWS)]
                yield from spelled

    def count_points(self, parts: Iterable[Part]) -> int:
        """How many points the parts have."""
        total = 0
        for part in parts:
            if part.kind == "points":
                with self._whole(part.entry):
                    total += count_rows(self._folder.blob(part.entry))
        return total

    @contextmanager
    def _whole(self, entry: Entry) -> Iterator[None]:
        try:
            yield
        except _NOT_OURS as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the disk's word or the line's, and not Arrow's of what it was given
            raise Refused(
                f"an earlier push left `{entry.path}`, which cannot be read any more "
                f"({type(error).__name__}), so nobody knows what to replace there",
                where=f"the run {self._run_id}",
                hint=f"mlflow runs delete --run-id {self._run_id}; "
                "the same push again then sends the whole run as a new one",
            ) from error
