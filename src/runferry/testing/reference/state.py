"""What the reference tracker knows of a run it has begun: names, the latest step, rows so far."""

from __future__ import annotations

import json
import re
import struct
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc

from runferry import chunks
from runferry.errors import Refused
from runferry.losses import Fate
from runferry.model import Attribute, KeyPath, Series
from runferry.ports import KeyRule, Limits
from runferry.testing.reference.codec import ChunkCodec
from runferry.testing.reference.log import whole_lines
from runferry.testing.reference.strictness import hold


def check_name(name: str, rule: KeyRule, kind: str) -> None:
    """Raises Refused for a name that breaks the rule."""
    parts = name.split("/")
    is_broken = (
        len(name) > rule.max_length
        or (rule.allowed is not None and not re.fullmatch(f"(?:{rule.allowed})*", name))
        or any(word in name for word in rule.forbidden)
        or name in rule.reserved
        or any(name.startswith(prefix) for prefix in rule.reserved_prefixes)
        or (rule.must_be_path and any(part in ("", ".", "..") for part in parts))
    )
    if is_broken:
        raise Refused(f"this {kind} name is not allowed", where=name[:80], hint="runferry plan")


@dataclass
class RunState:
    """One run's state; `of` rebuilds it from the log, so that another process can go on."""

    limits: Limits
    arrived: int = 0  # chunks
    is_sealed: bool = False
    _keys: dict[str, str] = field(default_factory=dict)  # folded key → the spelling that came first
    _paths: dict[tuple[str, str], KeyPath] = field(default_factory=dict)
    _latest: dict[str, int] = field(default_factory=dict)  # by table
    _rows: set[tuple[object, ...]] = field(default_factory=set)
    _rows_arrived: int = 0

    @classmethod
    def of(cls, path: Path, codec: ChunkCodec, limits: Limits) -> Self:
        """The state at the end of a log, after cutting off a line that a crash has torn."""
        state, size = cls(limits), 0
        for line in whole_lines(path):
            size += len(line)
            stated = json.loads(line)
            if "seal" in stated:
                state.is_sealed = True
            elif stated.get("number") is not None:
                state.arrived, state.is_sealed = stated["number"] + 1, False
                if "chunk" in stated:
                    state._hand_on(codec.decode(stated["chunk"]))
        if size < path.stat().st_size:
            with path.open("r+b") as log:
                log.truncate(size)
        return state

    def take(self, chunk: chunks.Chunk) -> chunks.Chunk | None:
        """What the tracker stores of a chunk."""
        held = hold(chunk, self.limits)
        return None if held is None else self._hand_on(held)

    def _hand_on(self, chunk: chunks.Chunk) -> chunks.Chunk:
        match chunk:
            case chunks.SeriesFacts(items):
                return chunks.SeriesFacts(tuple(s for s in items if self._declare(s)))
            case chunks.Attributes(items):
                return replace(chunk, items=tuple(map(self._place, items)))
            case chunks.Points(batch):
                return chunks.Points(self._arrive(self._once(self._in_order(batch, "points"))))
            case chunks.Texts(batch):
                return chunks.Texts(self._arrive(self._in_order(batch, "texts")))
            case chunks.Histograms(batch):
                return chunks.Histograms(self._arrive(self._in_order(batch, "histograms")))
            case chunks.Media(items):
                return chunks.Media(tuple(replace(i, key=self._spelling(i.key)) for i in items))
        return chunk

    # --- names

    def _fold(self, name: str, rule: KeyRule) -> str:
        return name.casefold() if rule.ignores_case else name

    def _declare(self, series: Series) -> bool:
        """Whether this is a series of its own, or one that is there under another spelling."""
        rule = self.limits.series_key
        check_name(series.key, rule, "series")
        return self._keys.setdefault(self._fold(series.key, rule), series.key) == series.key

    def _spelling(self, key: str) -> str:
        folded = self._fold(key, self.limits.series_key)
        if folded not in self._keys:
            raise Refused("rows of a series that was not declared", where=key, hint="a bug: report")
        return self._keys[folded]

    def _place(self, item: Attribute) -> Attribute:
        """A name that is taken already is overwritten, whoever had it first."""
        name = item.name or self.limits.attribute_separator.join(item.path)
        rule = self.limits.attribute_key
        check_name(name, rule, "attribute")
        path = self._paths.setdefault((item.role, self._fold(name, rule)), item.path)
        return replace(item, path=path)

    # --- rows

    def _in_order(self, batch: pa.RecordBatch, table: str) -> pa.RecordBatch:
        column = batch.column("key")
        spelled = [self._spelling(key) for key in column.dictionary.to_pylist()]
        keys = pc.take(pa.array(spelled, pa.string()), column.indices).dictionary_encode()
        batch = batch.set_column(0, batch.schema.field("key"), keys)
        if self.limits.order != "step" or not batch.num_rows:
            return batch
        start = self._latest.get(table, -(2**63))
        latest = pc.cumulative_max(batch.column("step"), start=start, skip_nulls=True)
        batch = batch.filter(pc.fill_null(pc.equal(batch.column("step"), latest), True))
        self._latest[table] = max(pc.max(latest).as_py() or start, start)
        return batch

    def _once(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        if self.limits.duplicate_point is Fate.KEPT:
            return batch
        columns = [
            [None if cell is None else struct.pack("<d", cell) for cell in column.to_pylist()]
            if name == "value"
            else column.to_pylist()
            for name, column in zip(batch.schema.names, batch.columns, strict=True)
            if name not in ("seq", "time")
        ]
        columns.append(batch.column("time").cast(pa.int64()).to_pylist())
        is_new = []
        for row in zip(*columns, strict=True):
            is_new.append(row not in self._rows)
            self._rows.add(row)
        return batch.filter(pa.array(is_new, pa.bool_()))

    def _arrive(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        first, self._rows_arrived = self._rows_arrived, self._rows_arrived + batch.num_rows
        if self.limits.source_order is Fate.KEPT:
            return batch
        index = batch.schema.get_field_index("seq")
        seq = pa.array(range(first, self._rows_arrived), pa.int64())
        return batch.set_column(index, batch.schema.field(index), seq)
