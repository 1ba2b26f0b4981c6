"""Texts as W&B's service keeps them: what it would take apart goes there as a string."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from runferry.dialects.json_trees import parse_json
from runferry.dialects.wandb.values import is_leaf
from runferry.losses import Fate, Loss
from runferry.model import Tree

_NUMBERS: Final = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
"""Words that the service spells numbers with, JSON having none for them."""
_LONG: Final = 10.0**21  # from here on W&B's clients write floats with an exponent
_WHY: Final = {
    "text-form": "W&B would take this JSON apart, or round it: it has it as a string",
    "value": "W&B spells JSON in its own way",
    "invented": "W&B has it as a number or as null",
    "duplicate-point": "W&B has it as a number or as null",
    "series-kind": "W&B has some of its texts as numbers or as null",
}


@dataclass
class ServiceTexts:
    """The texts of one run, and what is told of them. `is_of_wandb`: the run comes from W&B."""

    is_of_wandb: bool
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)  # code, key

    def sendable(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """Rows of `tables.TEXTS` in the forms in which they arrive best."""
        column, form = rows.column("text"), rows.column("form")
        is_json = pc.equal(form.cast(pa.string()), "json")
        is_word = pc.is_in(column, pa.array(list(_NUMBERS)))
        is_odd = pc.or_(pc.or_(is_json, is_word), column.is_null())
        places = np.flatnonzero(is_odd.to_numpy(zero_copy_only=False))
        if not len(places):
            return rows
        odd = rows.take(pa.array(places))
        names = ("key", "text", "form")
        cells = zip(*(odd.column(name).to_pylist() for name in names), strict=True)
        chosen = [self._form(*cell) for cell in cells]
        forms = np.array(form.to_pylist(), dtype=object)
        forms[places] = chosen
        index = rows.schema.get_field_index("form")
        spelled = pa.array(forms.tolist(), pa.string()).cast(rows.schema.field(index).type)
        return rows.set_column(index, rows.schema.field(index), spelled)

    def _form(self, key: str, text: str | None, form: str) -> str:
        """How one text is to be sent; counts what comes of it."""
        if text is None or form == "text":  # a word that spells a number is one there
            for code in ("invented", "duplicate-point"):
                self.counts[code, key] += 1
            self.counts["series-kind", key] = 1
            return form
        found = self._as_json(text)
        if found is None:
            self.counts["text-form", key] += 1
            return "text"
        if found != text:
            self.counts["value", key] += 1
        return form

    def _as_json(self, text: str) -> str | None:
        """How W&B would spell a value that stays one; None for what is better sent as a string."""
        try:
            value = parse_json(text)
        except ValueError:
            return None
        if isinstance(value, list) or (self.is_of_wandb and value and is_leaf(value)):
            if not isinstance(value, (list, dict)):
                return None
            return json.dumps(_respelled(value), ensure_ascii=False, separators=(",", ":"))
        return None

    def losses(self) -> Iterator[Loss]:
        """What is told of them."""
        for (code, key), count in self.counts.items():
            fate = Fate.DROPPED if code in ("invented", "duplicate-point") else Fate.ROUNDED
            yield Loss(code, fate, key, count, _WHY[code])


def _respelled(value: Tree) -> Tree:
    """A value as W&B's client writes it, and readers see it: whole floats are integers."""
    if isinstance(value, str):
        return _NUMBERS.get(value, value)
    if isinstance(value, list):
        return [_respelled(item) for item in value]
    if isinstance(value, dict):
        return {name: _respelled(value[name]) for name in sorted(value)}
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**63:
        value = float(value) if abs(value) < 2**1000 else float("inf")
    is_whole = isinstance(value, float) and value.is_integer() and abs(value) < _LONG
    return int(value) if is_whole and str(value) != "-0.0" else value  # type: ignore[arg-type]
