"""The loose files of a run folder: config.yaml, JSON files, and what they say together."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeGuard

from runferry.dialects.yaml_trees import parse_yaml
from runferry.losses import Fate, Loss
from runferry.model import Tree
from runferry.paths import regular
from runferry.readers.wandb import trees

_LOOSE_AT_MOST = 256 << 20  # bytes of a YAML or JSON file that is read as a whole


@dataclass
class Loose:
    """What the loose files of all folders of a run say, read anew by every pull.

    They are restated as a whole while a run goes on, so nothing of them is carried in a cursor:
    what a pull finds in them does not depend on the pulls before.
    """

    config: dict[str, Tree] = field(default_factory=dict)
    summary: dict[str, Tree] = field(default_factory=dict)
    metadata: list[dict[str, Tree]] = field(default_factory=list)
    is_authority: bool = False  # metadata also says how the run ended
    notes: str | None = None
    losses: list[Loss] = field(default_factory=list)

    def read(self, home: Path, *, run_id: str, is_authority: bool) -> None:
        """Take in one folder; a later one stands in front of those before it."""
        metadata = self._mapping(loose_json(home / "wandb-metadata.json"))
        if metadata is not None:
            self.metadata.append(metadata)
            self.is_authority |= is_authority
        self.config.update(self._mapping(loose_config(home / "config.yaml")) or {})
        summary = self._mapping(loose_json(home / "wandb-summary.json")) or {}
        for path, value in trees.leaves(summary):
            trees.put(self.summary, path, value)
        text = _text(home / "description.md")
        if isinstance(text, Loss):
            self.losses.append(text)
        elif text is not None and text.strip() not in ("", run_id):
            self.notes = text.strip()

    def _mapping(self, found: dict[str, Tree] | Loss | None) -> dict[str, Tree] | None:
        if isinstance(found, Loss):
            self.losses.append(found)
            return None
        return found


def loose_json(path: Path) -> dict[str, Tree] | Loss | None:
    """A JSON mapping; None if there is no such file, a Loss if it cannot be read."""
    text = _text(path)
    if not isinstance(text, str):
        return text
    try:
        value = trees.parse_json(text)
    except ValueError as error:
        return _unreadable(path, f"no JSON: {error}")
    return value if isinstance(value, dict) else _unreadable(path, "no mapping")


def loose_config(path: Path) -> dict[str, Tree] | Loss | None:
    """config.yaml, whose entries are `{value, desc}` or plain; `wandb_version` is its format's."""
    text = _text(path)
    if not isinstance(text, str):
        return text
    try:
        found = parse_yaml(text).value
    except ValueError as error:
        return _unreadable(path, f"no YAML: {error}")
    if found is None:
        return {}
    if not isinstance(found, dict):
        return _unreadable(path, "no mapping")
    return {
        name: item["value"] if _is_wrapped(item) else item
        for name, item in found.items()
        if name != "wandb_version"
    }


def _is_wrapped(item: Tree) -> TypeGuard[dict[str, Tree]]:
    return isinstance(item, dict) and "value" in item and set(item) <= {"value", "desc"}


def _text(path: Path) -> str | Loss | None:
    found = regular(path)
    if found is None:
        return None
    if found.st_size > _LOOSE_AT_MOST:
        return _unreadable(path, f"{found.st_size:,} bytes are more than a file of this kind has")
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        return _unreadable(path, str(error.strerror))


def _unreadable(path: Path, why: str) -> Loss:
    return Loss("unreadable-file", Fate.DROPPED, path.name, 1, why)
