"""Hyperparameters: ClearML keeps each as a text with the name of its Python type."""

from __future__ import annotations

import json
import math
from typing import Final

from runferry.dialects.json_trees import parse_json
from runferry.model import Tree

PROPERTIES: Final = "properties"
"""The section of what the user says of a task later on."""
_LONGEST_INT: Final = 4_300  # digits that Python reads
_JSON_KINDS: Final = ("list", "dict")


def value_of(text: Tree, kind: Tree, *, is_property: bool = False) -> Tree:
    """What a parameter is: its text, unless the type says more and the text fits it exactly."""
    if not isinstance(text, str):
        return text
    if not isinstance(kind, str) or not kind:
        # None is written as nothing at all; user properties never state a type
        return None if not text and not is_property else text
    if kind == "bool" and text in ("True", "False"):
        return text == "True"
    if kind == "int" and len(text) < _LONGEST_INT:
        return _int_of(text)
    if kind == "float":
        return _float_of(text)
    if kind.partition("/")[0] in _JSON_KINDS:
        return _json_of(text)
    return text


def spelled(value: Tree) -> tuple[str, str | None]:
    """A value as ClearML's client would write it, and its type; the inverse where there is one."""
    match value:
        case None:
            return "", None
        case bool():
            return str(value), "bool"
        case int():
            return str(value), "int"
        case float():
            return repr(value), "float"
        case str():
            return value, "str"
        case list():
            return json.dumps(value, default=str), "list"
        case dict():
            return json.dumps(value, default=str), "dict"
        case _:
            return str(value), "str"


def _int_of(text: str) -> Tree:
    try:
        found = int(text)
    except ValueError:
        return text
    return found if str(found) == text else text


def _float_of(text: str) -> Tree:
    try:
        found = float(text)
    except ValueError:
        return text
    return found if math.isfinite(found) or text in ("nan", "inf", "-inf") else text


def _json_of(text: str) -> Tree:
    try:
        return parse_json(text)
    except ValueError:
        return text
