"""Values as wandb-core spells them again: it reads what the client sent, and writes it anew.

`simplejsonext`, which it uses, writes floats by Go's format `g` in its shortest form: without a
fraction they look like integers below a million, and have an exponent from there on. An integer
beyond 64 bits is a float.
"""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal
from typing import Final

from runferry.model import Tree

_AS_IT_IS: Final = re.compile(
    r"-?(?:0|[1-9]\d{0,17})"
    r"|-?[1-9]\d{0,5}\.\d{0,9}[1-9]"
    r"|-?0\.(?!0000)\d{0,15}[1-9]"
    r"|true|false|null"
)
_INT64: Final = range(-(2**63), 2**63)
_FLAT: Final = range(-4, 6)  # decimal exponents that are not written


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
        items = (f"{spelled(name)}:{spelled(value[name])}" for name in sorted(value))
        return f"{{{','.join(items)}}}"
    return json.dumps(value)


def number(value: float) -> str:
    """A number as text."""
    if isinstance(value, int):
        if value in _INT64:
            return str(value)
        value = float(value)
    if not math.isfinite(value):
        return json.dumps(value)
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    assert isinstance(exponent, int)
    power = len(digits) + exponent - 1
    if power in _FLAT:
        return repr(value).removesuffix(".0")
    first, rest = str(digits[0]), "".join(map(str, digits[1:]))
    mantissa = f"{first}.{rest}" if rest else first
    return f"{'-' if sign else ''}{mantissa}e{power:+03d}"
