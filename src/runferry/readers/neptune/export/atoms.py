"""Single values of an exported run, and all else that is no series."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from runferry import chunks
from runferry.dialects.neptune.names import path_of, role_of
from runferry.dialects.neptune.schema import ATOMS, EXPORT, FILES, SERIES
from runferry.losses import Fate, Loss
from runferry.model import Attribute, KeyPath, Tree, same_value
from runferry.readers.neptune.export.batches import GroupFacts, Rows
from runferry.readers.neptune.export.files import ExportFiles
from runferry.tables import dumps

_TIMES: Final = ("timestamp", "datetime_value")
_FIRST: Final = datetime.min.replace(tzinfo=UTC)
_LAST: Final = datetime.max.replace(tzinfo=UTC)


@dataclass
class Others:
    """What is no series; `atoms` and `losses` are whole when all was read."""

    rows: Rows
    files: ExportFiles
    atoms: dict[KeyPath, Tree] = field(default_factory=dict)
    losses: list[Loss] = field(default_factory=list)
    _types: dict[KeyPath, str] = field(default_factory=dict)
    _nameless: int = 0

    def read(self) -> Iterator[chunks.Chunk]:
        """Files, artifacts and raw records; single values are collected."""
        for batch in self.rows.batches(EXPORT.names, _holds_others):
            types = batch.column("attribute_type")
            is_series = pc.fill_null(pc.is_in(types, pa.array(list(SERIES))), False)
            named = pc.and_(types.is_valid(), batch.column("attribute_path").is_valid())
            self._nameless += batch.num_rows - (pc.sum(named).as_py() or 0)
            own = batch.filter(pc.and_(named, pc.invert(is_series)))
            for row in _as_rows(own):
                yield from self._row(row)
        if self._nameless:
            why = "rows that name no attribute, or no type"
            self.losses.append(Loss("nameless-row", Fate.DROPPED, "", self._nameless, why))

    def _row(self, row: dict[str, Any]) -> Iterator[chunks.Chunk]:
        kind, name = row["attribute_type"], row["attribute_path"]
        if kind in ATOMS:
            value = row[ATOMS[kind]]
            if value is not None:  # the exporter fills a table of many runs: this one has no such
                self._atom(kind, name, value)
        elif kind in FILES:
            stored = row["file_value"]
            if stored is not None and stored["path"] is not None:
                yield from self.files.read(kind, name, stored["path"])
        else:
            reason = f"an attribute of the type {kind}, which is not known"
            held = {key: value for key, value in row.items() if value is not None}
            yield chunks.Raw(f"neptune {kind}", reason, dumps(held).encode())

    def _atom(self, kind: str, name: str, value: Tree) -> None:
        path = path_of(name)
        known = self._types.get(path)
        if known is not None and known != kind:
            path = (*path, kind)
            why = f"an attribute of the type {known} has this path; the {kind} got its own"
            self.losses.append(Loss("same-path", Fate.RENAMED, name, 1, why))
        if path in self.atoms and not same_value(self.atoms[path], value):
            why = "the export has several values of this attribute; the last one is kept"
            self.losses.append(Loss("replaced-attribute", Fate.DROPPED, name, 1, why))
        if value in (_FIRST, _LAST):  # what `_instant` makes of any other than these
            why = "a time beyond the years 1 to 9999 became the first or the last one of them"
            self.losses.append(Loss("time-beyond-years", Fate.ROUNDED, name, 1, why))
        self._types[path] = kind
        self.atoms[path] = value

    def attributes(self) -> tuple[Attribute, ...]:
        """All single values."""
        return tuple(Attribute(path, role_of(path), value) for path, value in self.atoms.items())


def sys_values(rows: Rows) -> dict[str, Tree]:
    """The values below `sys`, by their paths there; cheap where the export is as it was written."""
    columns = ("attribute_path", "attribute_type", *ATOMS.values())
    found: dict[str, Tree] = {}
    for batch in rows.batches(columns, _holds_sys):
        is_sys = pc.starts_with(batch.column("attribute_path"), "sys/")
        is_atom = pc.is_in(batch.column("attribute_type"), pa.array(list(ATOMS)))
        for row in _as_rows(batch.filter(pc.fill_null(pc.and_(is_sys, is_atom), False))):
            value = row[ATOMS[row["attribute_type"]]]
            if value is not None:
                found[row["attribute_path"].removeprefix("sys/")] = value
    return found


def _holds_sys(facts: GroupFacts) -> bool:
    return facts.may_hold(tuple(ATOMS)) and facts.may_lie_below("sys/")


def _holds_others(facts: GroupFacts) -> bool:
    """Whether there may be more than named rows of one type of series."""
    if facts.types is None or facts.paths is None:
        return True
    return facts.types[0] != facts.types[1] or facts.types[0] not in SERIES


def _as_rows(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """Rows as mappings; times as aware datetimes, steps as texts."""
    columns: dict[str, Sequence[Any]] = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if name in _TIMES:
            columns[name] = [_instant(value) for value in column.cast(pa.int64()).to_pylist()]
        elif name == "step":
            columns[name] = column.cast(pa.string()).to_pylist()
        else:
            columns[name] = column.to_pylist()
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _instant(milliseconds: int | None) -> datetime | None:
    """A time; the first or last one for what is beyond the years that a datetime has."""
    if milliseconds is None:
        return None
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return _FIRST if milliseconds < 0 else _LAST
