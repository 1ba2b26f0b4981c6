"""Rows are told apart by where they stand."""

from __future__ import annotations

import numpy as np
import pytest

from runferry.dialects.row_addresses import distinct


@pytest.mark.parametrize("rows", [0, 1, 2, 500])
@pytest.mark.parametrize("columns", [1, 2, 4])
def test_distinct_rows_are_those_that_numpy_finds(rows: int, columns: int) -> None:
    drawn = np.random.default_rng(rows).integers(-3, 3, (rows, columns))
    drawn[: rows // 3, -1] += np.iinfo(np.int64).max - 5
    np.testing.assert_array_equal(distinct(drawn), np.unique(drawn, axis=0))
