"""A run of Aim's in a folder of its own: what `Run.track` stores, many values at a time.

`Run.track` writes some ten records for each value, each by itself. Here the same records are put
into batches, and what a sequence says of itself is written once, when all of it is there.

It imports nothing of runferry, as `child` does not, which lies beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from aim.sdk.sequences.sequence_type_map import SEQUENCE_TYPE_MAP
from aim.sdk.utils import get_object_typename
from aim.storage.context import Context
from aim.storage.encoding import encode, encode_path
from aim.storage.hashing import hash_auto
from aim.storage.rockscontainer import RocksContainer
from aim.storage.treeutils import encode_tree
from aim.storage.utils import ArrayFlag

_AT_A_TIME = 20_000
"""Records of one batch."""
_ARRAY = encode(ArrayFlag)
_NONE = encode(None)
_NUMBERS = [
    ("code", "<i4"), ("step", "<i8"), ("millionths", "<i4"), ("bits", "<i8"), ("is_int", "u1"),
    ("time", "<f8"),
]  # fmt: skip
"""What is sent of each number, column by column: see `sending`."""


class Sequence:
    """What Aim knows of a sequence of values (`RunTracker._update_sequence_info`)."""

    def __init__(self, place: tuple[Any, ...], context: int, name: str, value: Any) -> None:
        self.context, self.name = context, name
        self.dtype = get_object_typename(value)
        self.is_number = self.dtype in ("int", "float")
        self.dtypes = [self.dtype]
        self.facts: dict[str, Any] = {"version": 2 if self.is_number else 1}
        self.latest: Any = float("-inf")  # step; an earlier one may be there, and is replaced
        self._count = 0
        self._least, self._most = float("inf"), float("-inf")
        top = ("v2", *place) if self.is_number else place
        under = encode_path(("seqs", *top, context, name))
        columns = ("step", "val", "epoch", "time") if self.is_number else ("val", "epoch", "time")
        self.prefixes = {column: under + encode_path(column) for column in columns}

    def see(self, value: Any, step: Any) -> None:
        """One more value."""
        dtype = get_object_typename(value)
        if dtype != self.dtype:
            self._now_of(dtype)
        facts = self.facts
        if self._count == 0:
            facts["first"], facts["first_step"] = value, step
        if step >= self._count:
            facts["last"], facts["last_step"] = value, step
            self._count = step + 1
        if self.is_number:
            if value > self._most:
                self._most = facts["max"] = value
            if value < self._least:
                self._least = facts["min"] = value
        elif isinstance(value, list):
            facts["record_max_length"] = max(facts.get("record_max_length", 0), len(value))

    def _now_of(self, dtype: str) -> None:
        """Integers and others in one sequence are `number` for Aim; other mixtures are not."""
        if not self.is_number or dtype not in ("int", "float"):
            raise ValueError(f"`{self.name}` has values of {self.dtype} and {dtype}")
        if self.dtype != "number":
            self.dtype = "number"
            self.dtypes.append("number")


class PrivateRun:
    """The two databases of a run, below a folder as they are to lie in a repository."""

    def __init__(self, folder: str, run_hash: str) -> None:
        self.run_hash = run_hash
        self.folder = Path(folder)
        self._meta, self._seqs = (
            RocksContainer(str(self.folder / part / "chunks" / run_hash), read_only=False)
            for part in ("meta", "seqs")
        )
        self._tree = self._meta.tree().subtree("meta")
        self._own = self._tree.subtree("chunks").subtree(run_hash)
        self._sequences: dict[tuple[int, str], Sequence] = {}
        self._of_codes: dict[int, tuple[int, str]] = {}
        self._contexts: dict[int, Any] = {}
        self._batch, self._held = self._seqs.batch(), 0

    def put_parameters(self, values: dict[str, Any]) -> None:
        """All of them; the first level is told of the repository too."""
        for tree in (self._own, self._tree):
            tree["attrs"] = {}
            for name, value in values.items():
                tree["attrs", name] = value

    # --- sequences

    def put_numbers(self, told: dict[str, Any], payload: bytes) -> None:
        """Rows of any sequences; `told` names those that are new."""
        last, place = None, b""
        for known, step, value, time in self._rows(told, payload):
            sequence = self._sequences.get(known) or self._new(*known, value)
            sequence.see(value, step)
            if step != last:
                last, place = step, encode_path(hash_auto(step))
            prefixes, batch = sequence.prefixes, self._batch
            batch.put(prefixes["val"] + place, encode(value))
            batch.put(prefixes["epoch"] + place, _NONE)
            batch.put(prefixes["time"] + place, encode(time))
            batch.put(prefixes["step"] + place, encode(step))
            self._hold(4)

    def put_epochs(self, told: dict[str, Any], payload: bytes) -> None:
        """Epochs of values that are there, at the same steps."""
        for known, step, epoch, _ in self._rows(told, payload):
            sequence = self._sequences.get(known)
            if sequence is not None:
                place = encode_path(hash_auto(step) if sequence.is_number else step)
                self._batch.put(sequence.prefixes["epoch"] + place, encode(epoch))
                self._hold(1)

    def _rows(
        self, told: dict[str, Any], payload: bytes
    ) -> Iterator[tuple[tuple[int, str], Any, Any, float]]:
        """Context and name of a sequence, step, value and time of each row of a frame."""
        for code, name, context in told["named"]:
            self._of_codes[code] = (self._context(context), name)
        rows, offset, columns = told["rows"], 0, {}
        for column, kind in _NUMBERS:
            columns[column] = np.frombuffer(payload, np.dtype(kind), rows, offset)
            offset += columns[column].nbytes
        real = columns["bits"].view("<f8")
        for code, step, more, whole, one, is_int, time in zip(  # noqa: B905  Python 3.9
            columns["code"].tolist(), columns["step"].tolist(), columns["millionths"].tolist(),
            columns["bits"].tolist(), real.tolist(), columns["is_int"].tolist(),
            columns["time"].tolist(),
        ):  # fmt: skip
            at = step + more / 1e6 if more else step
            yield self._of_codes[code], at, whole if is_int else one, time

    def put_object(self, name: str, context: Any, step: int, time: float, value: Any) -> None:
        """An object of Aim's, or a list of them; it replaces what is at its step."""
        known = (self._context(context), name)
        sequence = self._sequences.get(known) or self._new(*known, value)
        sequence.see(value, step)
        place, prefixes = encode_path(step), sequence.prefixes
        at = prefixes["val"] + place
        if step <= sequence.latest:
            self._seqs.delete_range(at, at + b"\xff", store_batch=self._batch)
        sequence.latest = max(sequence.latest, step)
        for key, content in encode_tree(value):
            self._seqs.set(at + key, content, store_batch=self._batch)
            self._hold(1 + len(content) // 1024)
        self._seqs.set(prefixes["epoch"] + place, _NONE, store_batch=self._batch)
        self._seqs.set(prefixes["time"] + place, encode(time), store_batch=self._batch)
        self._hold(2)

    def _new(self, context: int, name: str, value: Any) -> Sequence:
        made = Sequence(("chunks", self.run_hash), context, name, value)
        self._sequences[context, name] = made
        for prefix in made.prefixes.values():
            self._batch.put(prefix, _ARRAY)
        self._hold(len(made.prefixes))
        return made

    def _context(self, told: dict[str, Any]) -> int:
        context = Context(told)
        number: int = context.idx
        if number not in self._contexts:
            self._contexts[number] = context
            for tree in (self._tree, self._own):
                tree["contexts", number] = context.to_dict()
        return number

    def _hold(self, count: int) -> None:
        self._held += count
        if self._held >= _AT_A_TIME:
            self._seqs.commit(self._batch)
            self._batch, self._held = self._seqs.batch(), 0

    # --- the end

    def close(self, end_time: float | None) -> None:
        """Write what is left, flushed to tables: no reader has to recover a log."""
        self._seqs.commit(self._batch)
        for one in self._sequences.values():
            self._own["traces", one.context, one.name] = {"dtype": one.dtype, **one.facts}
            for dtype in one.dtypes:
                self._tree["traces_types", dtype, one.context, one.name] = 1
                kind = SEQUENCE_TYPE_MAP.get(dtype, "sequence")
                self._own["typed_traces", kind, one.context, one.name] = 1
        self._own["end_time"] = end_time
        self.abandon()

    def abandon(self) -> None:
        """Let go of the databases; harmless when repeated."""
        self._meta.close()
        self._seqs.close()
