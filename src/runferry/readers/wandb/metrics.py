"""What `define_metric` said of series: x axis, summary rule, goal, hidden; also by pattern."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from runferry.model import Series, Tree

_GOALS: dict[object, Literal["minimize", "maximize"]] = {
    1: "minimize",
    2: "maximize",
    "GOAL_MINIMIZE": "minimize",
    "GOAL_MAXIMIZE": "maximize",
    "minimize": "minimize",
    "maximize": "maximize",
}
_RULES = ("min", "max", "mean", "best", "last", "first", "none", "copy")


@dataclass
class Definitions:
    """The metric records met so far, by name or pattern; plain data, so a cursor can carry it."""

    by_name: dict[str, Tree] = field(default_factory=dict)
    by_glob: dict[str, Tree] = field(default_factory=dict)
    _indexed: list[str] = field(default_factory=list)  # names in order, for step_metric_index

    def absorb(self, message: dict[str, Any]) -> str | None:
        """Take in one record; returns the name it defines, None for a pattern."""
        name = str(message.get("name") or "").replace("\\.", ".")
        glob = str(message.get("glob_name") or "")
        axis = message.get("step_metric")
        index = int(message.get("step_metric_index") or 0)
        if not axis and 0 < index <= len(self._indexed):
            axis = self._indexed[index - 1]
        self._indexed.append(name)
        home, key = (self.by_name, name) if name else (self.by_glob, glob)
        before = home.get(key)
        overwrites = bool((message.get("_control") or {}).get("overwrite"))
        told = dict(before) if isinstance(before, dict) and not overwrites else {}
        told.update(_told(message, axis))
        home[key] = told
        return name or None

    def applied(self, series: Series) -> Series:
        """The series with what is defined for its key, by name before pattern."""
        if series.stream != "user":
            return series
        name = ".".join(series.path)  # not the key, which may have got a number
        told = self.by_name[name] if name in self.by_name else self._by_pattern(name)
        if not isinstance(told, dict):
            return series
        return replace(
            series,
            x_axis=_text(told.get("x_axis")),
            goal=_GOALS.get(told.get("goal")),
            summary_rule=_text(told.get("summary")),
            hidden=told.get("hidden") is True,
        )

    def _by_pattern(self, key: str) -> Tree:
        """The longest pattern that fits; `*` is the only character with a meaning in it."""
        fitting = [glob for glob in self.by_glob if _fits(glob, key)]
        return self.by_glob[max(fitting, key=len)] if fitting else None

    def position(self) -> Tree:
        """What `restored` needs."""
        return {"by_name": self.by_name, "by_glob": self.by_glob, "indexed": list(self._indexed)}

    @classmethod
    def restored(cls, position: Tree) -> Definitions:
        """The inverse of `position`."""
        if not isinstance(position, dict):
            return cls()
        names, globs = position.get("by_name"), position.get("by_glob")
        indexed = position.get("indexed")
        return cls(
            dict(names) if isinstance(names, dict) else {},
            dict(globs) if isinstance(globs, dict) else {},
            [str(name) for name in indexed] if isinstance(indexed, list) else [],
        )


def _told(message: dict[str, Any], axis: object) -> dict[str, Tree]:
    told: dict[str, Tree] = {}
    if axis:
        told["x_axis"] = str(axis)
    rules = message.get("summary") or {}
    named = [rule for rule in _RULES if rules.get(rule)]
    if named:
        told["summary"] = ",".join(named)
    goal = _GOALS.get(message.get("goal"))
    if goal:
        told["goal"] = goal
    if (message.get("options") or {}).get("hidden"):
        told["hidden"] = True
    return told


def _fits(glob: str, key: str) -> bool:
    literal = re.sub(r"([\[\]?])", r"[\1]", glob)
    return fnmatch.fnmatchcase(key, literal)


def _text(value: Tree) -> str | None:
    return value if isinstance(value, str) else None
