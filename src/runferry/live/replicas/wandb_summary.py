"""The summary that follows from rows, as wandb-core 0.31 keeps it (`core/internal/runsummary`)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from runferry.live.replicas.go_json import number
from runferry.live.replicas.value_tree import Path, ValueTree, put_json
from runferry.live.replicas.wandb_metrics import Definition

_ORDER: Final = ("last", "first", "max", "min", "mean")


@dataclass
class MetricSummary:
    """What a metric's values were so far."""

    latest: str | None = None
    first: str | None = None
    least: float = 0.0
    most: float = 0.0
    total: float = 0.0
    count: int = 0
    rules: frozenset[str] = frozenset()
    is_hidden: bool = False

    def take(self, text: str) -> None:
        """One more value."""
        self.first = text if self.latest is None else self.first
        self.latest = text
        if text[:1] in '"[{tfn':
            return
        value = float(text)
        is_nan = math.isnan(value) or math.isnan(self.least)  # NaN stays, as in Go's min and max
        self.least = math.nan if is_nan else min(self.least, value) if self.count else value
        self.most = math.nan if is_nan else max(self.most, value) if self.count else value
        self.total += value
        self.count += 1

    def told(self) -> str | None:
        """What the summary says of it, as JSON."""
        if self.is_hidden or self.latest is None:
            return None
        if not self.rules:
            return None if self.latest == "null" else self.latest
        mean = self.total / self.count if self.count else float("nan")
        known = {
            "last": self.latest,
            "first": self.first or "null",
            "max": number(self.most),
            "min": number(self.least),
            "mean": number(mean),
        }
        told = (f'"{rule}":{known[rule]}' for rule in _ORDER if rule in self.rules)
        return "{" + ",".join(told) + "}"


class Summary:
    """Summaries of all metrics by their paths."""

    def __init__(self) -> None:
        self._metrics: ValueTree[MetricSummary] = ValueTree()

    def configure(self, path: Path, definition: Definition) -> None:
        """What is to be told of a metric from now on."""
        found = self._metrics.made(path, MetricSummary)
        found.is_hidden, found.rules = not definition.has_summary, definition.rules

    def said(self, path: Path, text: str) -> None:
        """The user set a value, which ends the rules of that metric."""
        tree: ValueTree[str] = ValueTree()
        put_json(tree, path, text)
        for below, leaf in tree.leaves():
            found = self._metrics.made(below, MetricSummary)
            found.latest, found.rules = leaf, frozenset()

    def removed(self, path: Path) -> None:
        """The user took a value away."""
        found = self._metrics.get(path)
        if found is not None:
            found.latest = None
        else:
            self._metrics.remove(path)

    def updates(self, row: ValueTree[str], *, nested: bool = True) -> list[tuple[Path, str]]:
        """What a row changes; without `nested` not what stands in mappings that are no media."""
        changed = []
        for path, text in row.leaves():
            if not nested and len(path) > 1 and not _is_medium(row, path):
                continue
            found = self._metrics.made(path, MetricSummary)
            found.take(text)
            told = found.told()
            if told is not None:
                changed.append((path, told))
        return changed


def _is_medium(row: ValueTree[str], path: Path) -> bool:
    """Whether a value stands in a mapping with a `_type`."""
    return any(row.get((*path[:end], "_type")) is not None for end in range(1, len(path)))
