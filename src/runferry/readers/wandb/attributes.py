"""Config, summary and environment of a run, from records or from the folder's loose files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runferry import chunks
from runferry.losses import Fate, Loss
from runferry.model import Attribute, KeyPath, Role, Tree, instant
from runferry.readers.wandb import trees
from runferry.readers.wandb.paths import regular

_SECRET = re.compile(r"api_?key|password|passwd|secret|token|credential|license", re.IGNORECASE)
_INTERNAL = "_wandb"
_VALUES_AT_MOST = 1_000_000  # of a YAML file
_LOOSE_AT_MOST = 256 << 20  # bytes of a YAML or JSON file that is read as a whole


@dataclass
class Assembly:
    """Builds attributes from records; only what was touched is given, so a cursor can go on."""

    config: dict[str, Tree] = field(default_factory=dict)
    environment: dict[str, Tree] = field(default_factory=dict)
    other: dict[str, Tree] = field(default_factory=dict)
    losses: list[Loss] = field(default_factory=list)

    def run(self, message: Mapping[str, Any], where: str) -> None:
        """The parts of a run record that are no header fields."""
        self.update_config(message.get("config") or {}, where)
        self.settings(message.get("settings") or {}, where)
        for name in ("git", "telemetry"):
            if message.get(name):
                self.environ({name: message[name]})

    def update_config(self, message: Mapping[str, Any], where: str) -> None:
        """A config record: updates and removals by path."""
        for item in message.get("update") or ():
            self._set(trees.item_path(item), item, where)
        for item in message.get("remove") or ():
            trees.remove(self.config, trees.item_path(item))

    def _set(self, path: KeyPath, item: Mapping[str, Any], where: str) -> None:
        text = str(item.get("value_json", ""))
        try:
            value = trees.parse_json(text)
        except ValueError:
            self.losses.append(_not_json(where, path))
            value = text
        trees.put(self.config, path, value)

    def settings(self, message: Mapping[str, Any], where: str) -> None:
        """Client settings, except what gives access to an account."""
        for item in message.get("item") or ():
            name, text = str(item.get("key", "")), str(item.get("value_json", "null"))
            if _SECRET.search(name):
                detail = "credentials are never carried"
                self.losses.append(Loss("secret", Fate.DROPPED, f"settings.{name}", 1, detail))
                continue
            try:
                value = trees.parse_json(text)
            except ValueError:
                self.losses.append(_not_json(where, ("settings", name)))
                value = text
            trees.put(self.environment, ("settings", name), value)

    def environ(self, message: Mapping[str, Any]) -> None:
        """An environment or telemetry record, or the loose file that says the same."""
        for path, value in trees.leaves(dict(message)):
            trees.put(self.environment, path, value)
        if isinstance(started := message.get("started_at"), int):
            self.environment["started_at"] = instant(started)

    def note(self, path: KeyPath, value: Tree) -> None:
        """A record that is neither config nor environment, and few: an alert for example."""
        trees.put(self.other, path, value)

    def drain(self) -> Iterator[chunks.Chunk]:
        """What was collected, split by path; the collection is empty afterwards."""
        items = [_config_attribute(p, v) for p, v in trees.leaves(self.config)]
        items += [Attribute(p, "environment", v) for p, v in trees.leaves(self.environment)]
        items += [Attribute(p, "other", v) for p, v in trees.leaves(self.other)]
        if items:
            yield chunks.Attributes(tuple(items))
        yield from map(chunks.Lost, self.losses)
        self.config, self.environment, self.other, self.losses = {}, {}, {}, []


def _config_attribute(path: KeyPath, value: Tree) -> Attribute:
    return Attribute(path, "environment" if path[0] == _INTERNAL else "config", value)


def summary_attributes(summary: dict[str, Tree]) -> tuple[Attribute, ...]:
    """A summary split by path; what W&B adds for itself is environment."""
    found: list[Attribute] = []
    for path, value in trees.leaves(summary):
        role: Role = "environment" if path[0] == _INTERNAL else "summary"
        found.append(Attribute(path, role, value))
    return tuple(found)


def _not_json(where: str, path: KeyPath) -> Loss:
    detail = f"the value of {'.'.join(path)} is no JSON; its text was kept"
    return Loss("bad-json", Fate.REENCODED, where, 1, detail)


# --- loose files ----------------------------------------------------------------------------------


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
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        found = yaml.load(text, Loader=loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        return _unreadable(path, f"no YAML: {str(error).splitlines()[0]}")
    if found is None:
        return {}
    if not isinstance(found, dict):
        return _unreadable(path, "no mapping")
    budget = [_VALUES_AT_MOST]
    try:
        return {
            str(name): _plain(item.get("value") if _is_wrapped(item) else item, budget)
            for name, item in found.items()
            if name != "wandb_version"
        }
    except (ValueError, RecursionError) as error:
        return _unreadable(path, f"not taken: {error}")


def _is_wrapped(item: object) -> bool:
    return isinstance(item, dict) and "value" in item and set(item) <= {"value", "desc"}


def _plain(value: object, budget: list[int]) -> Tree:
    """YAML's values as a tree: dates as their text, keys as strings.

    Aliases can make few bytes mean billions of values; `budget` ends that with ValueError.
    """
    budget[0] -= 1
    if budget[0] < 0:
        raise ValueError(f"more than {_VALUES_AT_MOST:,} values")
    if isinstance(value, dict):
        return {str(name): _plain(item, budget) for name, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [_plain(item, budget) for item in value]
    if value is None or isinstance(value, (bool, int, float, str, bytes)):
        return value
    return str(value)


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
