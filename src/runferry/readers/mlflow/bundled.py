"""The parts of a run's bundle, read back; a damaged or missing one is a loss, never an end."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar, cast

import pyarrow as pa
import pyarrow.compute as pc

from runferry.dialects import codec
from runferry.dialects.codec import FOREIGN
from runferry.dialects.mlflow.artifacts import ArtifactFolder, Entry
from runferry.dialects.mlflow.bundle import (
    UNREADABLE,
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
from runferry.model import Attribute, Blob, Run, Series, Tree
from runferry.ports import BATCH_ROWS
from runferry.tables import dumps

_NO_ROWS = (pa.ArrowException, OSError, ValueError, KeyError)
"""What Parquet raises that is cut, flipped, or has other columns than ours."""

_HELD_BYTES = 4 << 20
"""Of parts with rows, which are read up to three times: a server is asked once for small ones."""

Decoded = TypeVar("Decoded")


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
        self._held: dict[str, bytes] = {}
        self._damaged: set[str] = set()
        self._declared: set[str] = set()
        self._undeclared: set[str] = set()
        self._parts = self._valid(all_parts(entries.values()))

    def _valid(self, found: list[Part]) -> list[Part]:
        """The parts that the last seal names; before the first, those of the last attempt."""
        seals = seals_of(self._entries.values())
        if not seals:
            last = max((part.generation for part in found), default=0)
            return [part for part in found if part.generation == last]
        seal = seals[max(seals)]
        try:
            sealed = read_tree(self._folder.blob(seal))
            if not isinstance(sealed, dict):
                raise ValueError("a seal is a mapping")
        except UNREADABLE:
            self._damage(seal.path)
            return [part for part in found if part.generation == max(seals)]
        for path, size in sealed.items():
            entry = self._entries.get(path)
            if entry is None:
                self._lost("bundle-part-missing", path, "a part of the bundle is gone")
            elif entry.size is not None and isinstance(size, int) and entry.size != size:
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

    def _trees(self, kind: str, *, last_first: bool = False) -> Iterator[tuple[Part, Tree]]:
        """The JSON parts of a kind."""
        parts = list(self._of(kind))
        for part in reversed(parts) if last_first else parts:
            try:
                tree = read_tree(self._folder.blob(part.entry))
            except UNREADABLE:
                self._damage(part.entry.path)
                continue
            yield part, tree

    def _members(self, kind: str) -> Iterator[tuple[Part, dict[str, Tree]]]:
        """The members of the lists that the JSON parts of a kind are."""
        for part, tree in self._trees(kind):
            for member in tree if isinstance(tree, list) else [tree]:
                if isinstance(member, dict) and isinstance(tree, list):
                    yield part, member
                else:
                    self._damage(part.entry.path)

    def _decoded(
        self, found: Iterable[tuple[Part, dict[str, Tree]]], decode: Callable[[Tree], Decoded]
    ) -> Iterator[Decoded]:
        """What the members say; one that is not ours makes its part a damaged one."""
        for part, member in found:
            try:
                decoded = decode(member)
            except FOREIGN:
                self._damage(part.entry.path)
                continue
            yield decoded

    def items(self, kind: str, decode: Callable[[Tree], Decoded]) -> Iterator[Decoded]:
        """All that the JSON parts of a kind list."""
        return self._decoded(self._members(kind), decode)

    def latest(
        self, kind: str, decode: Callable[[Tree], Decoded], *fields: str
    ) -> Iterator[Decoded]:
        """`items`, a later one in place of an earlier one that is the same in these fields."""
        found: dict[str, tuple[Part, dict[str, Tree]]] = {}
        for part, member in self._members(kind):
            identity = dumps([member.get(field) for field in fields])
            if identity in found:
                self._claim(found[identity][1])
            found[identity] = (part, member)
        return self._decoded(found.values(), decode)

    def _claim(self, member: dict[str, Tree]) -> None:
        """What an earlier sending of the same thing left in the folder is nobody else's."""
        entries = member.get("entries")
        for holder in (member, *(entries if isinstance(entries, list) else ())):
            kept = holder.get("blob") if isinstance(holder, dict) else None
            path = kept.get("path") if isinstance(kept, dict) else None
            if isinstance(path, str):
                self.claimed.add(path)

    def registered(self) -> list[dict[str, Tree]]:
        """What the last seal said of the models that the run stands for."""
        last: list[dict[str, Tree]] = []
        for part, tree in self._trees("registered"):
            try:
                last = list(map(_record, cast("list[Tree]", tree)))
            except FOREIGN:
                self._damage(part.entry.path)
        return last

    def batches(self, kind: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """The Parquet parts of a kind; the same batches on every call."""
        for part in self._of(kind):
            try:
                batches = list(read_batches(self._rows_of(part), schema, BATCH_ROWS))
            except _NO_ROWS:
                self._damage(part.entry.path)
                continue
            for batch in batches:
                declared = self._declared_rows(batch)
                if declared.num_rows:
                    yield declared

    def _rows_of(self, part: Part) -> Blob:
        """A Parquet part, kept from its first reading on where there is room for it."""
        path, blob = part.entry.path, self._folder.blob(part.entry)
        room = _HELD_BYTES - sum(map(len, self._held.values()))
        if path not in self._held and blob.open is not None and (blob.size or room) < room:
            with blob.open() as file:
                self._held[path] = file.read()
        held = self._held.get(path)
        return blob if held is None else Blob(len(held), open=lambda: io.BytesIO(held))

    def _declared_rows(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Without the rows of series that a damaged part would have declared."""
        if "key" not in batch.schema.names:
            return batch
        column = batch.column("key")
        is_known = [self.is_declared(name) for name in column.dictionary.to_pylist()]
        if all(is_known):
            return batch
        return batch.filter(pc.take(pa.array(is_known), column.indices))

    def is_declared(self, key: str) -> bool:
        """Whether the bundle says what this series is; asked after `series`, counted if not."""
        if key not in self._declared and key not in self._undeclared:
            self._undeclared.add(key)
            self._lost("undeclared-series", key, "the part of the bundle that declares it is lost")
        return key in self._declared

    def rows(self, kind: str) -> int:
        """No fewer than the Parquet parts of a kind have; counted where that could be many."""
        parts = list(self._of(kind))
        most, total = len(parts) * BATCH_ROWS, 0
        if Passes(most).count == 1:
            return most
        for part in parts:
            try:
                total += count_rows(self._rows_of(part))
            except _NO_ROWS:
                self._damage(part.entry.path)
        return total

    def header(self) -> Run | None:
        """The last header that was sent and can be read; those before it are not asked for."""
        for part, tree in self._trees("header", last_first=True):
            try:
                return codec.run_of(tree)
            except FOREIGN:
                self._damage(part.entry.path)
        return None

    def attributes(self) -> list[SentAttribute]:
        """The attributes, a later one of the same role and path in place of an earlier one."""
        sent = self.items(
            "attributes",
            lambda tree: SentAttribute(codec.attribute_of(tree), codec.frozen_of(tree)),
        )
        return list({(one.attribute.role, one.attribute.path): one for one in sent}.values())

    def series(self) -> dict[str, Series]:
        """The series by the key that they have in the rows of the bundle."""
        found = {series.key: series for series in self.items("series", codec.series_of)}
        self._declared = set(found)
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


def _record(tree: Tree) -> dict[str, Tree]:
    """One thing that was registered. Raises what a foreign shape raises."""
    record = cast("dict[str, Tree]", tree)
    name, what = record["model"], record["what"]
    fields: dict[str, type] = {"identity": list, "tags": dict}
    if what != "model":
        fields |= {"aliases": list, "stage": str, "version": int}
    if not isinstance(name, str) or not all(isinstance(record[f], k) for f, k in fields.items()):
        raise TypeError("another shape")
    return {"description": None, **record}
