"""Columns and grids of a Plotly figure: lists, or arrays packed as `dtype`, `bdata` and `shape`.

The packing is plotly.py's (`_plotly_utils.utils.to_typed_array_spec`): base64 of little-endian
numbers. What JSON has no number for is a gap.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Iterable
from typing import Any, Final

import numpy as np

Cell = float | int | str | None

_DTYPES: Final = ("i1", "u1", "i2", "u2", "i4", "u4", "f4", "f8")
_BREAK: Final = re.compile(r"<br\s*/?>", re.IGNORECASE)
_TAG: Final = re.compile(r"</?[a-zA-Z][^<>]*>")
_DATE: Final = re.compile(r"\d{4}-\d{1,2}(-\d{1,2}([T ]\d{1,2}(:\d{1,2}){0,2}([.,]\d+)?.{0,6})?)?")
_NUMBER: Final = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_LARGEST: Final = 1e300


def column(found: Any) -> list[Cell] | None:
    """One dimension; None for what is none."""
    plain = _unpacked(found)
    if not isinstance(plain, list) or any(isinstance(one, list | dict) for one in plain):
        return None
    return [_cell(one) for one in plain]


def grid(found: Any) -> list[list[Cell]] | None:
    """Rows of two dimensions, which may differ in length; None for what is none."""
    plain = _unpacked(found)
    if not isinstance(plain, list):
        return None
    rows = [column(one) for one in plain]
    whole = [row for row in rows if row is not None]
    return whole if len(whole) == len(rows) else None


def _unpacked(found: Any) -> Any:
    if not isinstance(found, dict):
        return found
    dtype, packed, shape = found.get("dtype"), found.get("bdata"), found.get("shape")
    if dtype == "u1c":
        dtype = "u1"
    if dtype not in _DTYPES or not isinstance(packed, str):
        return None
    try:
        numbers = np.frombuffer(base64.b64decode(packed), np.dtype(f"<{dtype}"))
        if shape is not None:
            numbers = numbers.reshape([int(part) for part in str(shape).split(",")])
    except (ValueError, OverflowError):
        return None
    return numbers.tolist()


def _cell(found: Any) -> Cell:
    if found is None or isinstance(found, str):
        return found
    if isinstance(found, bool):
        return "true" if found else "false"
    if isinstance(found, int):
        return found
    return found if isinstance(found, float) and math.isfinite(found) else None


# --- single values --------------------------------------------------------------------------------


def mapping(found: Any) -> dict[str, Any]:
    """What is no mapping is an empty one."""
    return found if isinstance(found, dict) else {}


def number(found: Any) -> float | None:
    """A number that can be reckoned with; None for what is none."""
    is_number = isinstance(found, int | float) and not isinstance(found, bool)
    return found if is_number and abs(found) < _LARGEST else None


def title(found: Any) -> str:
    """A title's plain text: it is a text, or a mapping that has one; its HTML is left out."""
    text = found.get("text") if isinstance(found, dict) else found
    return _TAG.sub("", _BREAK.sub("\n", text)) if isinstance(text, str) else ""


def label(cell: Cell) -> str | None:
    """A category's name."""
    return format(cell, ".15g") if isinstance(cell, float) else None if cell is None else str(cell)


def are_numbers(cells: Iterable[Cell]) -> bool:
    """Whether all that is there are numbers, or texts that spell one."""
    return all(_NUMBER.fullmatch(cell.strip()) if isinstance(cell, str) else True for cell in cells)


def are_dates(cells: Iterable[Cell]) -> bool:
    """Whether all that is there are dates in Plotly's spelling."""
    return all(
        cell is None or (isinstance(cell, str) and _DATE.fullmatch(cell) is not None)
        for cell in cells
    )
