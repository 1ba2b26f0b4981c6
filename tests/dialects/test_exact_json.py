"""Trees as JSON: what is none of ours is a ValueError, whatever stands there."""

from __future__ import annotations

import pytest

from runferry.tables import loads


@pytest.mark.parametrize(
    "text",
    [
        *(f'{{"${tag}": {inner}}}' for tag in ("float", "bytes", "time") for inner in ("[]", "{}")),
        '{"$int": 1e999}', '{"$int": null}', '{"$time": 5}', '{"$text": [1]}', '{"$text": 7}',
        '{"$items": 3}', '{"$items": [[1]]}', '{"$map": 3}', '{"$map": [{"$float": []}]}',
        '{"$other": 1}', "[" * 100_000, '{"a":' * 100_000, '{"a"', "",
    ],
    ids=lambda text: text[:20],
)  # fmt: skip
def test_a_garbled_tree_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        loads(text)
