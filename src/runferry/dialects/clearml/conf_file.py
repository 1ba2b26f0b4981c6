"""The section `api` of `clearml.conf`, which is HOCON: texts by their dotted names, and no more."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Final

_TOKEN: Final = re.compile(
    r"""(?P<comment>(?:\#|//)[^\n]*)
    | (?P<open>\{) | (?P<close>\}) | (?P<set>[=:])  | (?P<end>[,\n])
    | "(?P<quoted>(?:[^"\\\n]|\\.)*)"
    | (?P<filled>\$\{\??(?P<variable>\w+)\})
    | (?P<plain>(?:(?!//)[^\s{}=:,"\#\[\]]|:(?=//)|(?<=:)//|:(?=\d))+)
    | (?P<skip>\S)""",
    re.VERBOSE,
)
_AT_MOST: Final = 1 << 20


def settings_in(text: str, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What the file sets, by dotted names; a name that comes again has its last value.

    Includes, lists and concatenated values are passed over; `${NAME}` is the variable's value.
    """
    found: dict[str, str] = {}
    outer: list[str] = []
    name, is_value = "", False
    for token in _TOKEN.finditer(text[:_AT_MOST]):
        kind, word = token.lastgroup, token[0]
        if kind == "filled":
            word = environment.get(token["variable"], "")
        elif kind == "quoted":
            word = re.sub(r"\\(.)", r"\1", token["quoted"])
        match kind:
            case "open":
                outer.append(name)
                name, is_value = "", False
            case "close":
                if outer:
                    outer.pop()
                name, is_value = "", False
            case "set":
                is_value = True
            case "end":
                name, is_value = "", False
            case "quoted" | "plain" | "filled" if is_value and name:
                found[".".join((*(part for part in outer if part), name))] = word
                name, is_value = "", False
            case "quoted" | "plain":
                name = word
    return found
