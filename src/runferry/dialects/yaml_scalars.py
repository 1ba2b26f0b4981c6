"""Scalars of YAML as values, by the rules of those who read the file."""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from runferry.model import Tree

if TYPE_CHECKING:
    import yaml

Flavour = Literal["1.1", "omegaconf", "1.2"]
"""What a plain word is: by PyYAML, by OmegaConf (`1e-5` is a number), by YAML 1.2 (`no` a word)."""

OWN = "tag:yaml.org,2002:"
MERGE = f"{OWN}merge"
_EXPONENT = re.compile(r"[-+]?[0-9][0-9_]*(?:\.[0-9_]*)?[eE][-+]?[0-9]+")
_FLOAT_12 = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_INT_12 = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_SPECIAL = re.compile(r"([-+]?)\.(?:(inf|Inf|INF)|(?:nan|NaN|NAN))")


class Scalars:
    """What a scalar means to the readers of a flavour."""

    def __init__(self, flavour: Flavour) -> None:
        import yaml

        self._node = yaml.ScalarNode
        self._resolver = yaml.SafeLoader("")  # its resolver and the constructors of its own tags
        self._resolve: Callable[..., str] = self._resolver.resolve
        self._flavour = flavour

    def tag(self, event: yaml.ScalarEvent) -> str:
        """Its tag, the stated one or that of a plain word."""
        if event.tag not in (None, "!"):
            return str(event.tag)
        if event.tag == "!" or not event.implicit[0]:
            return f"{OWN}str"
        if self._flavour == "1.2":
            return _tag_12(event.value)
        tag = self._resolve(self._node, event.value, event.implicit)
        if self._flavour == "omegaconf" and tag == f"{OWN}str" and _EXPONENT.fullmatch(event.value):
            return f"{OWN}float"
        return tag

    def value(self, event: yaml.ScalarEvent) -> tuple[Tree, str | None]:
        """The value, and its tag if that is not said by the value."""
        tag, text = self.tag(event), str(event.value)
        is_stated = event.tag not in (None, "!")
        try:
            match tag.removeprefix(OWN):
                case "str" | "timestamp" | "merge" | "value":
                    return text, None
                case "null":
                    return None, None
                case "bool":
                    return self._truth(text), None
                case "int":
                    return self._integer(text), None
                case "float":
                    return self._number(text), None
                case "binary":
                    return base64.b64decode(text), None
        except (ValueError, KeyError, binascii.Error):
            return text, tag if is_stated else None  # `!!int x`; an integer of 5,000 digits
        return text, tag

    def _truth(self, text: str) -> bool:
        return {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}[
            text.lower()
        ]

    def _integer(self, text: str) -> int:
        if self._flavour == "1.2":
            base = 8 if text.startswith("0o") else 16 if text.startswith("0x") else 10
            return int(text, base)
        return int(self._resolver.construct_yaml_int(self._node(f"{OWN}int", text)))

    def _number(self, text: str) -> float:
        number = float(self._resolver.construct_yaml_float(self._node(f"{OWN}float", text)))
        if math.isinf(number) and not _SPECIAL.fullmatch(text):
            raise ValueError("beyond a double")  # it stays the text that it is
        return number


def _tag_12(text: str) -> str:
    """The core schema of YAML 1.2, https://yaml.org/spec/1.2.2/#103-core-schema."""
    if text in ("", "~", "null", "Null", "NULL"):
        kind = "null"
    elif text in ("true", "True", "TRUE", "false", "False", "FALSE"):
        kind = "bool"
    elif _INT_12.fullmatch(text):
        kind = "int"
    elif _FLOAT_12.fullmatch(text) or _SPECIAL.fullmatch(text):
        kind = "float"
    else:
        kind = "merge" if text == "<<" else "str"
    return f"{OWN}{kind}"
