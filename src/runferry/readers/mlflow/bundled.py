"""The parts of a run's bundle, read back; a damaged or missing one is a loss, never an end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import cast

import pyarrow as pa

from runferry.dialects.mlflow import codec
from runferry.dialects.mlflow.artifacts import ArtifactFolder, Entry
from runferry.dialects.mlflow.bundle import (
    Part,
    all_parts,
    copies_of,
    count_rows,
    found_blob,
    read_batches,
    read_tree,
    seals_of,
)
from runferry.dialects.mlflow.points import Passes
from runferry.losses import Fate, Loss, LossLedger
from runferry.model import Attribute, Blob, KeyPath, Run, Series, Tree
from runferry.ports import BATCH_ROWS
from runferry.tables import dumps

_DAMAGE = (pa.ArrowException, OSError, ValueError, KeyError, TypeError)
"""What decoding a cut, flipped or foreign file raises; all of it means: this part says nothing."""


@dataclass(frozen=True, slots=True)
class SentAttribute:
    """An attribute that was pushed; `frozen` is what MLflow kept in its place, if it did."""

    attribute: Attribute
    frozen: str | None = None


class BundledParts:
    """All parts, in the order in which their chunks were sent."""

    def __init__(self, folder: ArtifactFolder, entries: Mapping[str, Entry]) -> None:
        self.losses = LossLedger()
        self.claimed: set[str] = set()
        self._folder = folder
        self._entries = entries
        self._damaged: set[str] = set()
        self._parts = self._valid(all_parts(entries.values()))

    def _valid(self, found: list[Part]) -> list[Part]:
        """The parts that the last seal names; before the first, those of the last attempt."""
        seals = seals_of(self._entries.values())
        if not seals:
            last = max((part.generation for part in found), default=0)
            return [part for part in found if part.generation == last]
        seal = seals[max(seals)]
        try:
            sealed = cast("dict[str, Tree]", read_tree(self._folder.blob(seal)))
        except _DAMAGE:
            self._damage(seal.path)
            return [part for part in found if part.generation == max(seals)]
        for path, size in sealed.items():
            entry = self._entries.get(path)
            if entry is None:
                self._lost("bundle-part-missing", path, "a part of the bundle is gone")
            elif entry.size is not None and size is not None and entry.size != size:
                self._damage(path)
        return [part for part in found if part.entry.path in sealed]

    def _damage(self, path: str) -> None:
        if path not in self._damaged:
            self._damaged.add(path)
            self._lost(
                "bundle-part-damaged",
                path,
                "a part of the bundle cannot be read; what MLflow itself holds of it is returned",
            )

    def _lost(self, code: str, where: str, detail: str) -> None:
        self.losses.add(Loss(code, Fate.DROPPED, where, 1, detail))

    def _of(self, kind: str) -> Iterator[Part]:
        return (p for p in self._parts if p.kind == kind and p.entry.path not in self._damaged)

    def trees(self, kind: str) -> Iterator[Tree]:
        """The JSON parts of a kind."""
        for part in self._of(kind):
            try:
                tree = read_tree(self._folder.blob(part.entry))
            except _DAMAGE:
                self._damage(part.entry.path)
                continue
            yield tree

    def items(self, kind: str) -> Iterator[Tree]:
        """The members of the lists that the JSON parts of a kind are."""
        for tree in self.trees(kind):
            yield from cast("list[Tree]", tree)

    def latest(self, kind: str, *fields: str) -> Iterator[Tree]:
        """`items`, a later one in place of an earlier one that is the same in these fields."""
        found: dict[str, Tree] = {}
        for item in self.items(kind):
            tree = cast("dict[str, Tree]", item)
            identity = dumps([tree.get(field) for field in fields])
            if identity in found:
                self._claim(found[identity])
            found[identity] = item
        yield from found.values()

    def _claim(self, item: Tree) -> None:
        """What an earlier sending of the same thing left in the folder is nobody else's."""
        tree = cast("dict[str, Tree]", item)
        for holder in (tree, *cast("list[dict[str, Tree]]", tree.get("entries") or [])):
            kept = cast("dict[str, Tree]", holder.get("blob") or {})
            if kept.get("path"):
                self.claimed.add(cast("str", kept["path"]))

    def batches(self, kind: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """The Parquet parts of a kind; the same batches on every call."""
        for part in self._of(kind):
            try:
                batches = list(read_batches(self._folder.blob(part.entry), schema, BATCH_ROWS))
            except _DAMAGE:
                self._damage(part.entry.path)
                continue
            yield from batches

    def rows(self, kind: str) -> int:
        """No fewer than the Parquet parts of a kind have; counted where that could be many."""
        parts = list(self._of(kind))
        most, total = len(parts) * BATCH_ROWS, 0
        if Passes(most).count == 1:
            return most
        for part in parts:
            try:
                total += count_rows(self._folder.blob(part.entry))
            except _DAMAGE:
                self._damage(part.entry.path)
        return total

    def header(self) -> Run | None:
        """The last header that was sent."""
        last = None
        for tree in self.trees("header"):
            last = tree
        return None if last is None else codec.run_of(last)

    def attributes(self) -> list[SentAttribute]:
        """The attributes, a later one of the same role and path in place of an earlier one."""
        found: dict[tuple[str, KeyPath], SentAttribute] = {}
        for tree in self.items("attributes"):
            attribute = codec.attribute_of(tree)
            sent = SentAttribute(attribute, codec.frozen_of(tree))
            found[attribute.role, attribute.path] = sent
        return list(found.values())

    def series(self) -> dict[str, Series]:
        """The series by the key that they have in the rows of the bundle."""
        found = {}
        for tree in self.items("series"):
            series = codec.series_of(tree)
            found[series.key] = series
        return found

    def find(self, kept: Tree) -> Blob:
        """A blob that was stored as an artifact; missing, and a loss, when that is gone."""
        blob, path, is_gone = found_blob(self._folder, self._entries, kept)
        if path is not None:
            self.claimed.add(path)
            self.claimed.update(copies_of(kept))
            if is_gone:
                self._lost("removed-artifact", path, "an artifact was removed from MLflow")
        return blob


def original(series: Series) -> Series:
    """The series as it was before it was renamed for MLflow."""
    return replace(series, key=series.original_key or series.key, original_key=None)


def renamed(batch: pa.RecordBatch, keys: Mapping[str, str]) -> pa.RecordBatch:
    """The batch with its keys replaced; a key that is not in `keys` stays."""
    index = batch.schema.get_field_index("key")
    column = batch.column(index)
    names = column.dictionary.to_pylist()
    if all(keys.get(name, name) == name for name in names):
        return batch
    dictionary = pa.array([keys.get(name, name) for name in names], pa.string())
    replaced = pa.DictionaryArray.from_arrays(column.indices, dictionary)
    return batch.set_column(index, batch.schema.field(index), replaced)
