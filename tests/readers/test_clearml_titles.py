"""Titles and series of ClearML's events that are no text."""

from __future__ import annotations

import json
from pathlib import Path

from clearml_sessions import one, scalar, write_session


def test_a_series_that_is_no_text_is_spelled_as_one(tmp_path: Path) -> None:
    line = json.dumps([scalar(0, 1.0), scalar(1, 2.0) | {"variant": [1, {"a": 2}]}])
    found, _ = one(write_session(tmp_path / "offline-1", task={"id": "offline-1"}, metrics=line))
    assert {series.path for series in found.series.values()} == {
        ("loss", "train"), ("loss", "[1, {'a': 2}]"),
    }  # fmt: skip
