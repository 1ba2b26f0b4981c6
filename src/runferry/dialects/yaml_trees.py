"""YAML of others as trees: no tag is ever executed, aliases and nesting are bounded.

The tree is built from the parser's events, one by one. `yaml.compose` of libyaml is recursive and
ends the process on deep nesting (PyYAML 6.0.3), and a constructor would act on tags.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from runferry.dialects.json_trees import DEPTH_AT_MOST
from runferry.model import KeyPath, Tree

if TYPE_CHECKING:
    import yaml

Flavour = Literal["1.1", "omegaconf", "1.2"]
"""What a plain word is: by PyYAML, by OmegaConf (`1e-5` is a number), by YAML 1.2 (`no` a word)."""

_VALUES_AT_MOST = 1_000_000  # of a document, those behind aliases counted each time
_OWN = "tag:yaml.org,2002:"
_MERGE = f"{_OWN}merge"
_EXPONENT = re.compile(r"[-+]?[0-9][0-9_]*(?:\.[0-9_]*)?[eE][-+]?[0-9]+")
_FLOAT_12 = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_INT_12 = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_SPECIAL = re.compile(r"([-+]?)\.(?:(inf|Inf|INF)|(?:nan|NaN|NAN))")


@dataclass(frozen=True, slots=True)
class YamlTree:
    """A document's value, and what of it a tree cannot say."""

    value: Tree
    tags: tuple[tuple[KeyPath, str], ...] = ()  # those not YAML's own, by the path of the value
    repeated: tuple[KeyPath, ...] = ()  # keys that came again; the last value of each stays


def parse_yaml(text: str, flavour: Flavour = "1.1") -> YamlTree:
    """The one document of `text`; null for none. Times stay texts, keys are as they are written.

    Raises ValueError for what is no YAML, for several documents, for nesting deeper than anybody
    means and for aliases that make more than a million values.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    builder = _Builder(_Scalars(flavour))
    try:
        for event in yaml.parse(text, Loader=loader):
            builder.take(event)
    except yaml.YAMLError as error:
        raise ValueError(_one_line(error)) from None
    return YamlTree(builder.value, tuple(builder.tags), tuple(builder.repeated))


def _one_line(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    place = f" in line {mark.line + 1:,}" if mark is not None else ""
    return f"{getattr(error, 'problem', None) or str(error).splitlines()[0]}{place}"


@dataclass
class _Open:
    """A list or mapping that has begun and not ended."""

    value: list[Tree] | dict[str, Tree]
    anchor: str | None
    values_before: int
    key: str | None = None
    is_merge: bool = False
    merged: dict[str, Tree] = field(default_factory=dict)  # of `<<`: what own keys stand before


@dataclass
class _Builder:
    """Makes the tree; never deeper on the stack than one call."""

    scalars: _Scalars
    value: Tree = None
    tags: list[tuple[KeyPath, str]] = field(default_factory=list)
    repeated: list[KeyPath] = field(default_factory=list)
    _open: list[_Open] = field(default_factory=list)
    _anchors: dict[str, tuple[Tree, int, int]] = field(default_factory=dict)  # value, count, depth
    _values: int = 0
    _documents: int = 0
    _deepest: int = 0

    def take(self, event: yaml.Event) -> None:
        import yaml

        match event:
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    raise ValueError("more than one document")
            case yaml.AliasEvent():
                self._alias(event.anchor)
            case yaml.ScalarEvent():
                self._scalar(event)
            case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                self._begin(event)
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                self._end()

    def _count(self, values: int = 1) -> None:
        self._values += values
        if self._values > _VALUES_AT_MOST:
            raise ValueError(f"more than {_VALUES_AT_MOST:,} values")

    def _alias(self, anchor: str | None) -> None:
        if anchor is None or anchor not in self._anchors:
            raise ValueError(f"the alias *{anchor} is for nothing that stands before it")
        value, count, depth = self._anchors[anchor]
        self._count(count)
        self._check_depth(len(self._open) + depth)
        self._put(value)

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        self._count()
        top = self._open[-1] if self._open else None
        if top is not None and isinstance(top.value, dict) and top.key is None:
            if self.scalars.tag(event) == _MERGE:
                top.key, top.is_merge = "<<", True
            else:
                self._put(event.value)
            return
        value, strange = self.scalars.value(event)
        if strange is not None:
            self.tags.append((self._path(), strange))
        if event.anchor is not None:
            self._anchors[event.anchor] = value, 1, 0
        self._put(value)

    def _begin(self, event: yaml.SequenceStartEvent | yaml.MappingStartEvent) -> None:
        import yaml

        self._count()
        self._check_depth(len(self._open) + 1)
        is_list = isinstance(event, yaml.SequenceStartEvent)
        if event.tag not in (None, "!", f"{_OWN}seq" if is_list else f"{_OWN}map"):
            self.tags.append((self._path(), event.tag))
        self._open.append(_Open([] if is_list else {}, event.anchor, self._values))

    def _end(self) -> None:
        done = self._open.pop()
        if isinstance(done.value, dict) and done.merged:
            done.value = {**done.merged, **done.value}
        if done.anchor is not None:
            count = self._values - done.values_before + 1
            self._anchors[done.anchor] = done.value, count, _depth_of(done.value)
        self._put(done.value)

    def _put(self, value: Tree) -> None:
        if not self._open:
            self.value = value
            return
        top = self._open[-1]
        if isinstance(top.value, list):
            top.value.append(value)
        elif top.key is None:
            if not isinstance(value, str):
                raise ValueError("a key that is a list or a mapping")
            top.key = value
        else:
            if top.is_merge:
                _merge(top.merged, value)
            else:
                if top.key in top.value:
                    self.repeated.append(self._path())
                top.value[top.key] = value
            top.key, top.is_merge = None, False

    def _path(self) -> KeyPath:
        return tuple(
            str(len(part.value)) if isinstance(part.value, list) else part.key or ""
            for part in self._open
        )

    def _check_depth(self, depth: int) -> None:
        if depth > DEPTH_AT_MOST:
            raise ValueError("nested too deeply")


def _merge(merged: dict[str, Tree], value: Tree) -> None:
    """YAML's `<<`: one mapping or several, the first of which wins."""
    for source in value if isinstance(value, list) else [value]:
        if not isinstance(source, dict):
            raise ValueError("`<<` is for mappings")
        for name, item in source.items():
            merged.setdefault(name, item)


def _depth_of(value: Tree) -> int:
    """How deep it is; no deeper than DEPTH_AT_MOST, which has been checked."""
    if isinstance(value, dict):
        return 1 + max(map(_depth_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth_of, value), default=0)
    return 0


class _Scalars:
    """What a scalar means."""

    def __init__(self, flavour: Flavour) -> None:
        import yaml

        self._node = yaml.ScalarNode
        self._resolver = yaml.SafeLoader("")  # its resolver and the constructors of its own tags
        self._resolve: Callable[..., str] = self._resolver.resolve
        self._flavour = flavour

    def tag(self, event: yaml.ScalarEvent) -> str:
        if event.tag not in (None, "!"):
            return str(event.tag)
        if event.tag == "!" or not event.implicit[0]:
            return f"{_OWN}str"
        if self._flavour == "1.2":
            return _tag_12(event.value)
        tag = self._resolve(self._node, event.value, event.implicit)
        if (
            self._flavour == "omegaconf"
            and tag == f"{_OWN}str"
            and _EXPONENT.fullmatch(event.value)
        ):
            return f"{_OWN}float"
        return tag

    def value(self, event: yaml.ScalarEvent) -> tuple[Tree, str | None]:
        """The value, and its tag if that is not said by the value."""
        tag, text = self.tag(event), str(event.value)
        is_stated = event.tag not in (None, "!")
        try:
            match tag.removeprefix(_OWN):
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
        return int(self._resolver.construct_yaml_int(self._node(f"{_OWN}int", text)))

    def _number(self, text: str) -> float:
        number = float(self._resolver.construct_yaml_float(self._node(f"{_OWN}float", text)))
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
    return f"{_OWN}{kind}"
