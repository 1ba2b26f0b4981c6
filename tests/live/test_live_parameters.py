"""Parameters of any type become what JSON can say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from runferry.live.parameters import plain


def test_numbers_of_numpy_are_numbers_and_all_else_is_text() -> None:
    given = {
        "int": np.int64(5),
        "small": np.uint8(7),
        "half": np.float32(0.5),
        "double": np.float64(0.1),
        "on": np.bool_(True),
        "deep": {"er": [np.int32(1), (np.bool_(False),)]},
        "when": np.datetime64("2024-01-02"),
        "where": Path("x"),
    }
    assert json.loads(json.dumps(plain(given))) == {
        "int": 5,
        "small": 7,
        "half": 0.5,
        "double": 0.1,
        "on": True,
        "deep": {"er": [1, [False]]},
        "when": "2024-01-02",
        "where": "x",
    }


def test_what_is_in_itself_ends_there_and_what_is_there_twice_is_there_twice() -> None:
    shared = {"a": 1}
    given: dict[str, object] = {"one": shared, "two": [shared, shared]}
    items: list[object] = [1]
    items.append(items)
    given |= {"self": given, "items": items}
    assert plain(given) == {
        "one": {"a": 1},
        "two": [{"a": 1}, {"a": 1}],
        "self": "{...}",
        "items": [1, "[...]"],
    }
