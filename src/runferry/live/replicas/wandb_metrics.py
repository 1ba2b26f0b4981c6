"""What `define_metric` asks for, as wandb-core 0.31 goes by it (`core/internal/runmetric`)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from runferry.dialects.protobuf import values
from runferry.live.replicas.go_json import number
from runferry.live.replicas.value_tree import Path, ValueTree

_RULES: Final = {1: "min", 2: "max", 3: "mean", 5: "last", 8: "first"}
_NONE: Final = 6


@dataclass(frozen=True, slots=True)
class Definition:
    """What is known of one metric, or of those that a glob takes."""

    step: str = ""
    is_step_synced: bool = False
    has_summary: bool = True
    rules: frozenset[str] = frozenset()


class Definitions:
    """Metrics that were defined by name or by glob, and the last value of each step metric."""

    def __init__(self) -> None:
        self._named: dict[str, Definition] = {}
        self._globs: dict[str, Definition] = {}
        self._latest: dict[str, float] = {}

    @property
    def are_any(self) -> bool:
        """Whether any metric was defined, by its name or by a glob that took it."""
        return bool(self._named)

    def define(self, message: bytes) -> tuple[Path, Definition] | None:
        """Take in a `MetricRecord`; the path and definition of a metric that has a name."""
        name, glob, step, parts = "", "", "", dict[int, dict[int, int]]()
        for field, content in values(message):
            if isinstance(content, bytes):
                match field:
                    case 1:
                        name = content.decode()
                    case 2:
                        glob = content.decode()
                    case 4:
                        step = content.decode()
                    case 6 | 7 | 9:
                        parts[field] = {n: c for n, c in values(content) if isinstance(c, int)}
        if step:
            self._latest.setdefault(step, 0.0)
        known = self._named if name else self._globs
        key = name or glob
        if not key:
            return None
        before = Definition() if parts.get(9, {}).get(1) else known.get(key, Definition())
        known[key] = found = _with(before, step, parts)
        return (_escaped_parts(name), found) if name else None

    def new_ones(self, row: ValueTree[str]) -> list[tuple[Path, Definition]]:
        """Note the row's values of step metrics, and define what globs take for the first time."""
        for key in self._latest:
            found = _number(row.get(tuple(key.split("."))))
            if found is not None:
                self._latest[key] = found
        made = []
        for path, _ in row.leaves() if self._globs else ():
            key = ".".join(path)
            if key.startswith("_") or key in self._named:
                continue
            definition = self._by_glob(key)
            if definition is not None:
                self._named[key] = definition
                made.append((path, definition))
        return made

    def insert_steps(self, row: ValueTree[str]) -> None:
        """Put the last values of step metrics into a row that has metrics which want them."""
        for path, _ in list(row.leaves()) if self._named else ():
            found = self._named.get(".".join(path))
            if found is None or not found.step or not found.is_step_synced:
                continue
            step = tuple(found.step.split("."))
            if row.get(step) is None and found.step in self._latest:
                row.set(step, number(self._latest[found.step]))

    def _by_glob(self, key: str) -> Definition | None:
        found = (
            made for glob, made in self._globs.items() if key.startswith(glob.removesuffix("*"))
        )
        return next(found, None)


def _with(before: Definition, step: str, parts: dict[int, dict[int, int]]) -> Definition:
    options, summary = parts.get(6, {}), parts.get(7)
    found = replace(
        before,
        step=step or before.step,
        is_step_synced=before.is_step_synced or bool(options.get(1)),
    )
    if summary is None:
        return found
    rules = {word for number, word in _RULES.items() if summary.get(number)}
    return replace(found, has_summary=not summary.get(_NONE), rules=found.rules | rules)


def _number(text: str | None) -> float | None:
    """A leaf's value, if it is a number."""
    if text is None or text in ("true", "false", "null") or text[:1] in '"[{':
        return None
    return float(text)


def _escaped_parts(name: str) -> Path:
    r"""A metric's name at its dots, except those behind a backslash."""
    parts, part, is_escaped = [], "", False
    for letter in name:
        if is_escaped:
            part += letter if letter == "." else f"\\{letter}"
            is_escaped = False
        elif letter == "\\":
            is_escaped = True
        elif letter == ".":
            parts.append(part)
            part = ""
        else:
            part += letter
    return (*parts, part) if part else tuple(parts)
