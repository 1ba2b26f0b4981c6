"""Config, summary and environment of a run, as its records build them."""

from __future__ import annotations

import copy
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from runferry import chunks
from runferry.dialects.times import rfc3339
from runferry.losses import Fate, Loss
from runferry.model import Attribute, KeyPath, Role, Tree
from runferry.readers.wandb import trees
from runferry.readers.wandb.loose import Loose
from runferry.tables import dumps

_SECRET = re.compile(r"api_?key|password|passwd|secret|token|credential|license", re.IGNORECASE)
_INTERNAL = "_wandb"
_VERSION = re.compile(r"0\.(\d{1,9})\.")
_FIRST_CORE_ONLY = 18  # 0.18; 0.17 has both backends


@dataclass
class Assembly:
    """The attributes in the making, from the first record on: plain data, so a cursor carries it.

    Records change and remove what others said, so only all of them together give the attributes;
    how a run was cut into batches and pulls must not show.
    """

    config: dict[str, Tree] = field(default_factory=dict)
    summary: dict[str, Tree] = field(default_factory=dict)
    environment: dict[str, Tree] = field(default_factory=dict)
    other: dict[str, Tree] = field(default_factory=dict)
    has_environment: bool = False  # a record told what metadata would tell
    given: str = ""  # the digest of what was given last
    losses: list[Loss] = field(default_factory=list)

    def position(self) -> dict[str, Tree]:
        """What `restored` needs."""
        return {name: value for name, value in vars(self).items() if name != "losses"}

    @classmethod
    def restored(cls, position: Mapping[str, Any]) -> Assembly:
        """The inverse of `position`."""
        return cls(**copy.deepcopy(dict(position)))

    # --- records ----------------------------------------------------------------------------------

    def run(self, message: Mapping[str, Any], where: str) -> None:
        """The parts of a run record that are no header fields."""
        for name in ("git", "telemetry"):
            if message.get(name):
                self.environ({name: message[name]})
        self.update_config(message.get("config") or {}, where)
        self.settings(message.get("settings") or {}, where)
        for item in (message.get("summary") or {}).get("update") or ():
            self.summarise(trees.item_path(item), str(item.get("value_json", "")))

    def update_config(self, message: Mapping[str, Any], where: str) -> None:
        """A config record: updates and removals by path, mappings as the client's backend has it.

        wandb-core merges them leaf by leaf, the backend in Python before it put the last one in
        place of the others. What W&B keeps for itself is only ever added to.
        """
        for item in message.get("update") or ():
            path = trees.item_path(item)
            is_merged = path[0] == _INTERNAL or not self._is_from_python()
            value = self._parsed(item.get("value_json", ""), path, where)
            (trees.merge if is_merged else trees.put)(self.config, path, value)
        for item in message.get("remove") or ():
            trees.remove(self.config, trees.item_path(item))

    def _is_from_python(self) -> bool:
        """Whether the backend in Python wrote this; wandb-core names its commit behind a `+`."""
        stated = self.environment.get(_INTERNAL), self.environment.get("telemetry")
        header, telemetry = (part if isinstance(part, dict) else {} for part in stated)
        version = header.get("version_info")
        producer = version.get("producer") if isinstance(version, dict) else None
        told = str(producer or telemetry.get("cli_version") or "")
        found = _VERSION.match(told)
        return found is not None and "+" not in told and int(found[1]) < _FIRST_CORE_ONLY

    def summarise(self, path: KeyPath, text: str | None) -> None:
        """The last value of a summary path, as JSON; None if it was removed."""
        if text is None:
            trees.clear(self.summary, path)
            return
        trees.put(self.summary, path, trees.json_or_text(text))

    def settings(self, message: Mapping[str, Any], where: str) -> None:
        """Client settings, except what gives access to an account."""
        for item in message.get("item") or ():
            name = str(item.get("key", ""))
            if _SECRET.search(name):
                detail = "credentials are never carried"
                self.losses.append(Loss("secret", Fate.DROPPED, f"settings.{name}", 1, detail))
                continue
            path = ("settings", name)
            value = self._parsed(item.get("value_json", "null"), path, where)
            trees.put(self.environment, path, value)

    def _parsed(self, text: object, path: KeyPath, where: str) -> Tree:
        try:
            return trees.parse_json(str(text))
        except ValueError:
            self.losses.append(_not_json(where, path))
            return str(text)

    def environ(self, message: Mapping[str, Any]) -> None:
        """An environment or telemetry record."""
        _merge(self.environment, message)

    def note(self, path: KeyPath, value: Tree) -> None:
        """A record that is neither config nor environment, and few: an alert for example."""
        trees.put(self.other, path, value)

    def told_losses(self) -> Iterator[chunks.Lost]:
        """What could not be taken as it was since the last call."""
        yield from map(chunks.Lost, self.losses)
        self.losses = []

    # --- all of it --------------------------------------------------------------------------------

    def whole_summary(self, loose: Loose) -> dict[str, Tree]:
        """The summary: that of records, or the loose file's where records have none."""
        return self.summary or loose.summary

    def news(self, loose: Loose, facts: tuple[Attribute, ...]) -> Iterator[chunks.Attributes]:
        """All attributes in one chunk, unless they are those that were given last."""
        items = {(item.role, item.path): item for item in (*self._items(loose), *facts)}
        if not items and not self.given:
            return
        spelled = dumps([[role, list(path), item.value] for (role, path), item in items.items()])
        digest = hashlib.blake2b(spelled.encode("utf-8", "surrogatepass"), digest_size=16)
        if digest.hexdigest() != self.given:
            self.given = digest.hexdigest()
            yield chunks.Attributes(tuple(items.values()), is_whole=True)

    def _items(self, loose: Loose) -> Iterator[Attribute]:
        for path, value in trees.leaves(self._whole_config(loose)):
            yield Attribute(path, _role(path, "config"), value)
        environment = copy.deepcopy(self.environment)
        if not self.has_environment:
            for metadata in loose.metadata:
                _merge(environment, metadata)
        for path, value in trees.leaves(environment):
            yield Attribute(path, "environment", value)
        for path, value in trees.leaves(self.other):
            yield Attribute(path, "other", value)
        for path, value in trees.leaves(self.whole_summary(loose)):
            yield Attribute(path, _role(path, "summary"), value)

    def _whole_config(self, loose: Loose) -> dict[str, Tree]:
        """The config of records; where there is any, loose files add what W&B keeps for itself."""
        whole = copy.deepcopy(self.config)
        has_config = any(name != _INTERNAL for name in whole)
        for path, value in trees.leaves(loose.config):
            if path[0] == _INTERNAL or not has_config:
                trees.put(whole, path, value)
        return whole


def _merge(tree: dict[str, Tree], message: Mapping[str, Any]) -> None:
    for path, value in trees.leaves(dict(message)):
        trees.put(tree, path, value)
    if isinstance(started := message.get("started_at"), int):
        tree["started_at"] = rfc3339(started)


def _role(path: KeyPath, role: Role) -> Role:
    """What W&B adds for itself is environment."""
    return "environment" if path[0] == _INTERNAL else role


def _not_json(where: str, path: KeyPath) -> Loss:
    detail = f"the value of {'.'.join(path)} is no JSON; its text was kept"
    return Loss("bad-json", Fate.REENCODED, where, 1, detail)
