"""JSON of others as trees: bounded in depth, nothing that it says twice or too long in silence."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import cast

from runferry.model import KeyPath, Tree

DEPTH_AT_MOST = 200  # of lists and mappings in each other; hostile nesting exhausts the stack
NO_NUMBERS = ("NaN", "Infinity")  # Python's words in JSON for what strict JSON has no number for
SPLIT_AT_MOST = 64  # elements of a path; what is nested deeper stays one value
_DIGITS_AT_MOST = 4300  # of an integer: what Python makes of a longer text takes too long
_ZERO = re.compile(r"[-+]?[0.]+(?:[eE]|$)")
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]')  # or a string, whose own are skipped


@dataclass
class JsonNotes:
    """What a document says that a tree cannot hold, added up by those who read it."""

    repeated_keys: int = 0  # the last value of each stays
    long_integers: int = 0  # which stay texts
    beyond_double: int = 0  # numbers that no double holds, which stay texts
    halves: int = 0  # halves of surrogate pairs, which become U+FFFD


def parse_json(text: str, notes: JsonNotes | None = None) -> Tree:
    """A value: bare NaN and Infinity are numbers, integers are of any size, `-0` is the float.

    Half a surrogate pair, which no UTF-8 can hold, becomes U+FFFD. With `notes`, keys that come
    twice are counted, and an integer too long for Python or a number beyond a double stays a text.
    Raises ValueError, also for lists and mappings nested deeper than anybody means.
    """
    check_depth(text)
    try:
        value = cast("Tree", _decoder(text, notes).decode(text))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return mended(value, notes) if "\\u" in text else value


def finite(value: Tree, *, are_words: bool = False) -> Tree:
    """A tree that strict JSON can spell: NaN and infinities are null, or words."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value) if are_words else None
    if isinstance(value, list):
        return [finite(item, are_words=are_words) for item in value]
    if isinstance(value, dict):
        return {name: finite(item, are_words=are_words) for name, item in value.items()}
    return value


def check_depth(text: str) -> None:
    """Raises ValueError for a text whose lists and mappings are nested too deeply."""
    if text.count("[") + text.count("{") > DEPTH_AT_MOST and _depth(text) > DEPTH_AT_MOST:
        raise ValueError("nested too deeply")


def _decoder(text: str, notes: JsonNotes | None) -> json.JSONDecoder:
    if notes is not None:
        return noting_decoder(notes)
    return json.JSONDecoder(parse_int=_signed) if "-0" in text else json.JSONDecoder()


def _signed(digits: str) -> int | float:
    """No integer has a sign of zero: a float was written short."""
    return -0.0 if digits == "-0" else int(digits)


def noting_decoder(
    notes: JsonNotes, fraction: Callable[[str], object] | None = None
) -> json.JSONDecoder:
    """A decoder that adds up in `notes` what it could not give.

    `fraction` makes a value of the text of a number with a point or an exponent, else a float.
    """

    def mapping(pairs: list[tuple[str, object]]) -> dict[str, object]:
        made = dict(pairs)
        notes.repeated_keys += len(pairs) - len(made)
        return made

    def integer(digits: str) -> int | float | str:
        if len(digits) <= _DIGITS_AT_MOST:
            return _signed(digits)
        notes.long_integers += 1
        return digits

    def number(digits: str) -> float | str:
        value = float(digits)
        if holds(value, digits):
            return value
        notes.beyond_double += 1
        return digits

    return json.JSONDecoder(
        object_pairs_hook=mapping, parse_int=integer, parse_float=fraction or number
    )


def holds(value: float, digits: str) -> bool:
    """Whether a number was neither too large for a double nor too small."""
    if value == 0:
        return _ZERO.match(digits) is not None
    return not math.isinf(value)


def _depth(text: str) -> int:
    """How deeply lists and mappings are nested."""
    depth = deepest = 0
    for mark in _BRACKETS.findall(text):
        if mark in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif mark in "]}":
            depth -= 1
    return deepest


def mended(value: Tree, notes: JsonNotes | None = None) -> Tree:
    """The value with whole characters only; halves of pairs are U+FFFD."""
    if isinstance(value, str):
        whole = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        if notes is not None and whole != value:
            notes.halves += 1
        return whole
    if isinstance(value, list):
        return [mended(item, notes) for item in value]
    if isinstance(value, dict):
        return {str(mended(name, notes)): mended(item, notes) for name, item in value.items()}
    return value


def is_leaf(value: Tree) -> bool:
    """Whether this stays one value: everything but a mapping with entries."""
    return not isinstance(value, dict) or not value


def leaves(
    value: Tree, path: KeyPath = (), is_leaf: Callable[[Tree], bool] = is_leaf
) -> Iterator[tuple[KeyPath, Tree]]:
    """The values of a mapping by path; an empty mapping is a value."""
    if path and (is_leaf(value) or len(path) >= SPLIT_AT_MOST):
        yield path, value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from leaves(item, (*path, name), is_leaf)
