"""YAML of others as trees: no tag is ever executed, aliases and nesting are bounded.

The tree is built from the parser's events, one by one. `yaml.compose` of libyaml is recursive and
ends the process on deep nesting (PyYAML 6.0.3), and a constructor would act on tags.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runferry.dialects.json_trees import DEPTH_AT_MOST
from runferry.dialects.yaml_scalars import MERGE, OWN, Flavour, Scalars
from runferry.model import KeyPath, Tree

if TYPE_CHECKING:
    import yaml

_VALUES_AT_MOST = 1_000_000  # of a document, those behind aliases counted each time


@dataclass(frozen=True, slots=True)
class YamlTree:
    """A document's value, and what of it a tree cannot say."""

    value: Tree
    tags: tuple[tuple[KeyPath, str], ...] = ()  # those not YAML's own, by the path of the value
    key_tags: tuple[tuple[KeyPath, str], ...] = ()  # of keys, which stay as they are written
    repeated: tuple[KeyPath, ...] = ()  # keys that came again; the last value of each stays
    overridden: int = 0  # values that stood only in a `<<`, where another value won


def parse_yaml(text: str, flavour: Flavour = "1.1") -> YamlTree:
    """The one document of `text`; null for none. Times stay texts, keys are as they are written.

    Raises ValueError for what is no YAML, for several documents, for nesting deeper than anybody
    means and for aliases that make more than a million values.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    builder = _Builder(Scalars(flavour))
    try:
        for event in yaml.parse(text, Loader=loader):
            builder.take(event)
    except yaml.YAMLError as error:
        raise ValueError(_one_line(error)) from None
    return YamlTree(
        builder.value,
        tuple(builder.tags),
        tuple(builder.key_tags),
        tuple(builder.repeated),
        builder.overridden,
    )


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
    is_merge: bool = False  # the next value is that of `<<`; a list: it is one
    merges: list[dict[str, _Merged]] = field(default_factory=list)  # one for each `<<`


@dataclass(frozen=True, slots=True)
class _Merged:
    """A value that `<<` brings."""

    value: Tree
    is_elsewhere: bool  # behind an anchor, whose own place keeps it


@dataclass(frozen=True, slots=True)
class _Anchored:
    """What an alias stands for."""

    value: Tree
    count: int = 1  # of the values in it
    depth: int = 0
    text: str | None = None  # of a scalar, as it is written: what it is as a key


@dataclass
class _Builder:
    """Makes the tree; never deeper on the stack than one call."""

    scalars: Scalars
    value: Tree = None
    tags: list[tuple[KeyPath, str]] = field(default_factory=list)
    key_tags: list[tuple[KeyPath, str]] = field(default_factory=list)
    repeated: list[KeyPath] = field(default_factory=list)
    overridden: int = 0
    _open: list[_Open] = field(default_factory=list)
    _anchors: dict[str, _Anchored] = field(default_factory=dict)
    _values: int = 0
    _documents: int = 0

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
        known = self._anchors[anchor]
        self._count(known.count)
        self._check_depth(len(self._open) + known.depth)
        if known.text is not None and self._is_at_key():
            self._put(known.text)
        else:
            self._put(known.value, is_elsewhere=True)

    def _is_at_key(self) -> bool:
        """Whether what comes next is the key of a mapping."""
        top = self._open[-1] if self._open else None
        return top is not None and isinstance(top.value, dict) and top.key is None

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        self._count()
        value, strange = self.scalars.value(event)
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchored(value, text=event.value)
        if self._is_at_key():
            self._key(event)
            return
        if strange is not None:
            self.tags.append((self._path(), strange))
        self._put(value)

    def _key(self, event: yaml.ScalarEvent) -> None:
        top = self._open[-1]
        if self.scalars.tag(event) == MERGE:
            top.key, top.is_merge = "<<", True
            top.merges.append({})
            return
        self._put(event.value)
        if event.tag not in (None, "!", f"{OWN}str"):
            self.key_tags.append((self._path(), event.tag))

    def _begin(self, event: yaml.SequenceStartEvent | yaml.MappingStartEvent) -> None:
        import yaml

        self._count()
        self._check_depth(len(self._open) + 1)
        is_list = isinstance(event, yaml.SequenceStartEvent)
        if event.tag not in (None, "!", f"{OWN}seq" if is_list else f"{OWN}map"):
            self.tags.append((self._path(), event.tag))
        top = self._open[-1] if self._open else None
        is_merge = is_list and top is not None and top.is_merge and isinstance(top.value, dict)
        value: list[Tree] | dict[str, Tree] = [] if is_list else {}
        self._open.append(_Open(value, event.anchor, self._values, is_merge=is_merge))

    def _end(self) -> None:
        done = self._open.pop()
        if isinstance(done.value, dict) and done.merges:
            done.value = {**self._merged(done.merges, done.value), **done.value}
        if done.anchor is not None:
            count = self._values - done.values_before + 1
            self._anchors[done.anchor] = _Anchored(done.value, count, _depth_of(done.value))
        self._put(done.value)

    def _put(self, value: Tree, *, is_elsewhere: bool = False) -> None:
        if not self._open:
            self.value = value
            return
        top = self._open[-1]
        if isinstance(top.value, list):
            if top.is_merge:
                self._merge(self._open[-2], value, is_elsewhere=is_elsewhere)
            top.value.append(value)
        elif top.key is None:
            if not isinstance(value, str):
                raise ValueError("a key that is a list or a mapping")
            top.key = value
        elif top.is_merge:
            self._merge_all(top, value, is_elsewhere=is_elsewhere)
            top.key, top.is_merge = None, False
        else:
            if top.key in top.value:
                self.repeated.append(self._path())
            top.value[top.key] = value
            top.key = None

    def _merge_all(self, into: _Open, value: Tree, *, is_elsewhere: bool) -> None:
        """YAML's `<<`: one mapping or several, the first of which wins."""
        if not isinstance(value, list):
            self._merge(into, value, is_elsewhere=is_elsewhere)
        elif is_elsewhere:  # else its items were merged one by one
            for source in value:
                self._merge(into, source, is_elsewhere=True)

    def _merge(self, into: _Open, source: Tree, *, is_elsewhere: bool) -> None:
        if not isinstance(source, dict):
            raise ValueError("`<<` is for mappings")
        merged = into.merges[-1]
        for name, item in source.items():
            if name not in merged:
                merged[name] = _Merged(item, is_elsewhere)
            elif not is_elsewhere:
                self.overridden += 1

    def _merged(self, merges: list[dict[str, _Merged]], own: dict[str, Tree]) -> dict[str, Tree]:
        """What all `<<` of a mapping bring it; as in PyYAML a later one wins, and own keys do."""
        taken: dict[str, _Merged] = {}
        for merged in merges:
            self.overridden += sum(not taken[name].is_elsewhere for name in merged if name in taken)
            taken.update(merged)
        self.overridden += sum(not taken[name].is_elsewhere for name in own if name in taken)
        return {name: item.value for name, item in taken.items()}

    def _path(self) -> KeyPath:
        return tuple(
            str(len(part.value)) if isinstance(part.value, list) else part.key or ""
            for part in self._open
        )

    def _check_depth(self, depth: int) -> None:
        if depth > DEPTH_AT_MOST:
            raise ValueError("nested too deeply")


def _depth_of(value: Tree) -> int:
    """How deep it is; no deeper than DEPTH_AT_MOST, which has been checked."""
    if isinstance(value, dict):
        return 1 + max(map(_depth_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth_of, value), default=0)
    return 0
