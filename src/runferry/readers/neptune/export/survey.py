"""What a run of an export holds: its series, and whether their rows stand in order of steps.

Rows of an export have no order that could be relied on, and mostly are in order nevertheless. So
they are looked through once, by a few narrow columns, before they are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from runferry.dialects.neptune.names import ConsoleStream, console_of, path_of
from runferry.dialects.neptune.schema import SERIES
from runferry.dialects.neptune.steps import MILLION, millionths_of
from runferry.readers.neptune.export.batches import Rows
from runferry.readers.neptune.export.sorting import sorted_batches

if TYPE_CHECKING:
    from numpy.typing import NDArray

_COLUMNS: Final = ("attribute_path", "attribute_type", "step")
_NONE: Final = np.iinfo(np.int64).min
Name = tuple[str, str]
"""An attribute's path and type as the export spells them."""


@dataclass
class Seen:
    """What was seen of one series."""

    rows: int = 0
    first: int | None = None  # millionths
    last: int = _NONE
    is_ordered: bool = True
    strides: set[int] = field(default_factory=set)
    """Differences between neighbouring steps, two of them at most."""
    has_null_steps: bool = False

    def take(self, steps: NDArray[np.int64], present: NDArray[np.bool_]) -> None:
        """Rows of it, in the order in which they stand."""
        self.rows += len(steps)
        self.has_null_steps |= not present.all()
        steps = steps[present]
        if not len(steps):
            return
        if self.first is None:
            self.first = int(steps[0])
            differences = np.diff(steps)
        else:
            differences = np.diff(steps, prepend=np.int64(self.last))
        self.last = int(steps[-1])
        if len(differences):
            self.is_ordered &= bool((differences >= 0).all())
            if len(self.strides) < 2:
                self.strides.update((int(differences.min()), int(differences.max())))

    @property
    def stride(self) -> int | None:
        """The one difference between all steps; None where they do not tell the order of rows."""
        if self.has_null_steps or not self.is_ordered or len(self.strides) > 1:
            return None
        stride = next(iter(self.strides), MILLION)
        return stride if stride > 0 else None


@dataclass
class Survey:
    """The series of a run by path and type, in the order in which they were met."""

    series: dict[Name, Seen] = field(default_factory=dict)
    is_in_order: bool = True
    """Whether the rows of every series stand in order of steps in the files."""

    @classmethod
    def of(cls, rows: Rows) -> Survey:
        """Look through all rows; again in order, where they are in none."""
        wanted = rows.batches(_COLUMNS, lambda facts: facts.may_hold(tuple(SERIES)))
        survey = cls()._taken(wanted)
        if all(seen.is_ordered for seen in survey.series.values()):
            return survey
        return cls(is_in_order=False)._taken(sorted_batches(rows, _COLUMNS))

    def _taken(self, batches: Iterable[pa.RecordBatch]) -> Survey:
        for batch in batches:
            for name, places in grouped(batch):
                if name[1] in SERIES:
                    steps, present = millionths_of(batch.column("step").take(pa.array(places)))
                    self.series.setdefault(name, Seen()).take(steps, present)
        return self

    def consoles(self) -> dict[Name, ConsoleStream]:
        """The string series that are the run's console: one for each of its streams.

        Only where steps say no more than the order of lines; what else is logged there is a series.
        """
        found: dict[ConsoleStream, list[Name]] = {}
        for name in self.series:
            stream = console_of(path_of(name[0]))
            if name[1] == "string_series" and stream is not None:
                found.setdefault(stream, []).append(name)
        return {
            names[0]: stream
            for stream, names in found.items()
            if len(names) == 1 and self.series[names[0]].stride is not None
        }


def grouped(batch: pa.RecordBatch) -> Iterator[tuple[Name, NDArray[np.int64]]]:
    """The attributes in a batch, and the places of their rows, in order."""
    paths = batch.column("attribute_path").dictionary_encode()
    types = batch.column("attribute_type").dictionary_encode()
    kinds = len(types.dictionary) + 1
    codes = paths.indices.fill_null(len(paths.dictionary)).to_numpy(zero_copy_only=False)
    kind = types.indices.fill_null(kinds - 1).to_numpy(zero_copy_only=False)
    both = codes.astype(np.int64) * kinds + kind
    order = np.argsort(both, kind="stable")
    values, begins = np.unique(both[order], return_index=True)
    names, spelled = paths.dictionary.to_pylist(), types.dictionary.to_pylist()
    for value, places in zip(values.tolist(), np.split(order, begins[1:]), strict=True):
        path, type_ = divmod(value, kinds)
        if path < len(names) and type_ < len(spelled):  # a row without either is none of ours
            yield (names[path], spelled[type_]), places
