"""Values as wandb-core spells them again: it reads what the client sent, and writes it anew.

`simplejsonext`, which it uses, has one kind of number in text: a float without a fraction is
written as an integer, and an integer beyond 64 bits is a float.
"""

from __future__ import annotations

import json
import re
from typing import Final

from runferry.model import Tree

_AS_IT_IS: Final = re.compile(
    r"-?(?:0|[1-9]\d{0,17})|-?(?:0|[1-9]\d{0,15})\.\d{0,15}[1-9]|true|false|null"
)
_INT64: Final = range(-(2**63), 2**63)
_FLAT_BELOW: Final = 1e21  # from here on floats have an exponent


def respelled(text: str) -> str:
    """A value that is no mapping. Raises ValueError for what is no JSON."""
    return text if _AS_IT_IS.fullmatch(text) else spelled(json.loads(text))


def spelled(value: Tree) -> str:
    """A value as text."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return number(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return f"[{','.join(map(spelled, value))}]"
    if isinstance(value, dict):
        items = (f"{json.dumps(name, ensure_ascii=False)}:{spelled(value[name])}" for name in value)
        return f"{{{','.join(items)}}}"
    return json.dumps(value)


def number(value: float) -> str:
    """A number as text."""
    if isinstance(value, int) and value not in _INT64:
        value = float(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < _FLAT_BELOW:
        return "-0" if not value and str(value).startswith("-") else str(int(value))
    return json.dumps(value)
