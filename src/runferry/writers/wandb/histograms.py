"""Histograms as W&B's JSON, and exactly where that JSON would not give the row back."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

from runferry.dialects.json_trees import parse_json
from runferry.model import Tree
from runferry.tables import HISTOGRAMS, conform, dumps, loads

_FORM = pa.dictionary(pa.int8(), pa.string())
_NAMES = {"_type", "values", "bins"}


def with_json(
    addresses: pa.RecordBatch, texts: list[str], exact: list[str | None], forms: list[str]
) -> pa.RecordBatch:
    """Rows as `_native.WandbLog` takes JSON: addresses of a batch, and values.

    `forms` are histogram, exact-histogram or shown.
    """
    names = ("key", "step", "step_frac", "time", "time_ns", "seq")
    columns = {name: addresses.column(name) for name in names}
    columns["json"] = pa.array(texts, pa.string())
    columns["exact"] = pa.array(exact, pa.string())
    columns["form"] = pa.array(forms, pa.string()).cast(_FORM)
    return pa.RecordBatch.from_pydict(columns)


def shown_histograms(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Rows of `tables.HISTOGRAMS` as JSON."""
    rows = conform(batch, HISTOGRAMS)
    texts: list[str] = []
    exact: list[str | None] = []
    names = ("edges", "counts", "counts_kind", "extra")
    columns = (rows.column(name).to_pylist() for name in names)
    for edges, counts, kind, extra in zip(*columns, strict=True):
        more = _canonical(extra)
        is_whole = kind == "int" and all(map(float.is_integer, counts or ()))
        numbers = [int(count) for count in counts] if is_whole else counts
        shown = {"_type": "histogram", "values": numbers or [], "bins": edges or [], **(more or {})}
        texts.append(json.dumps(shown, ensure_ascii=False))
        is_said = (
            edges is not None
            and counts is not None
            and more is not None
            and kind == ("int" if is_whole and counts else "float64")
        )
        exact.append(None if is_said else dumps([edges, counts, kind, extra]))
    forms = ["histogram" if text is None else "exact-histogram" for text in exact]
    return with_json(rows, texts, exact, forms)


def _canonical(extra: str | None) -> dict[str, Any] | None:
    """What else the source stored, if JSON of W&B gives its very text back; {} for nothing."""
    if extra is None:
        return {}
    try:
        tree: Tree = loads(extra)
        plain = parse_json(json.dumps(tree))
    except (ValueError, TypeError):
        return None
    is_same = isinstance(tree, dict) and tree and dumps(plain) == extra
    return tree if isinstance(tree, dict) and is_same and not _NAMES & tree.keys() else None
