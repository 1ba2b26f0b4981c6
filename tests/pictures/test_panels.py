"""The rows of a batch come to the curves of their keys."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from runferry.errors import UsageError
from runferry.pictures import panels
from runferry.pictures.curves import Axis, Curve
from runferry.pictures.panels import feed
from runferry.transfer.selection import Selection


def keyed(codes: np.ndarray, keys: list[str]) -> pa.RecordBatch:
    rows = np.arange(len(codes))
    return pa.RecordBatch.from_pydict(
        {
            "key": pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), keys),
            "step": pa.array(rows),
            "step_frac": pa.nulls(len(codes), pa.int32()),
            "value": pa.array(rows.astype(np.float64)),
            "seq": pa.array(rows),
        }
    )


@pytest.mark.parametrize("rows", [0, 1, 60])
def test_each_curve_has_the_rows_of_its_key_in_their_order(rows: int) -> None:
    keys = ["a", "unwanted", "unused", "b"]
    codes = np.random.default_rng(7).choice([0, 1, 3], rows)
    curves = {key: Curve(Axis("step", 0, 100), 101) for key in ("a", "b", "elsewhere")}
    feed(curves, keyed(codes, keys))
    for key, curve in curves.items():
        wanted = [float(n) for n in range(rows) if keys[codes[n]] == key]
        assert [y for stroke in curve.strokes() for _, y in stroke] == wanted


def test_no_key_is_looked_for_in_every_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """Comparisons of whole columns do not grow with the keys."""
    searched: list[int] = []
    search = np.flatnonzero

    def counted(found: np.ndarray) -> np.ndarray:
        searched.append(len(found))
        return search(found)

    rows, keys = 2000, [f"k{n}" for n in range(500)]
    monkeypatch.setattr(Curve, "add", lambda self, batch: None)
    monkeypatch.setattr(np, "flatnonzero", counted)
    curves = {key: Curve(Axis("step", 0, rows), 2) for key in keys}
    panels.feed(curves, keyed(np.arange(rows) % len(keys), keys))
    assert sum(searched) <= 2 * rows


def test_the_hint_of_a_place_without_numbers_is_a_command_whatever_the_place_is_called() -> None:
    with pytest.raises(UsageError) as refused:
        panels.choose([], Selection(), panels.Choice(), "wandb:my runs")
    assert refused.value.hint == "runferry inspect 'wandb:my runs'"
