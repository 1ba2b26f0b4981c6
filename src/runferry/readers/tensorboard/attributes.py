"""Config, environment and what else a run says of itself, as its records and files build it."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from runferry import chunks
from runferry.dialects.run_folder import Beside
from runferry.dialects.tensorboard.names import file_fact_path, is_default, tag_path
from runferry.losses import Fate, Loss
from runferry.model import Attribute, KeyPath, Role, Tree, same_value
from runferry.tables import dumps

_HPARAMS = ("tensorboard", "hparams")
_OF_SESSION = ("model_uri", "monitor_url")


@dataclass
class Assembly:
    """The attributes in the making, from the first record on: plain data, so a cursor carries it.

    Files beside can change, so they are read anew by every pull; all together give the attributes.
    """

    hparams: dict[str, Tree] = field(default_factory=dict)
    again: dict[str, Tree] = field(default_factory=dict)  # by file: what it says otherwise
    session: dict[str, Tree] = field(default_factory=dict)
    environment: dict[str, Tree] = field(default_factory=dict)
    tags: dict[str, Tree] = field(default_factory=dict)  # by key: facts that are not the default
    given: str = ""  # the digest of what was given last
    losses: list[Loss] = field(default_factory=list)

    def position(self) -> dict[str, Tree]:
        """What `restored` needs."""
        return {name: value for name, value in vars(self).items() if name != "losses"}

    @classmethod
    def restored(cls, position: Mapping[str, Any]) -> Self:
        """The inverse of `position`."""
        return cls(**copy.deepcopy(dict(position)))

    # --- records ----------------------------------------------------------------------------------

    def start(self, message: Mapping[str, Any], label: str) -> None:
        """A session_start_info: the first that names a hyperparameter is its value."""
        otherwise: dict[str, Tree] = {}
        for name, value in (message.get("hparams") or {}).items():
            if not same_value(self.hparams.setdefault(name, value), value):
                otherwise[name] = value
        for name in _OF_SESSION:
            if message.get(name):
                self.session.setdefault(name, str(message[name]))
        if otherwise:
            self.again[label] = {**_mapping(self.again.get(label)), **otherwise}
            detail = "an earlier session says otherwise; these are other attributes of their file"
            self.losses.append(Loss("stated-twice", Fate.RENAMED, label, len(otherwise), detail))

    def describe(self, label: str, name: str, text: str) -> None:
        """What a file says of itself: its version, or what wrote it."""
        first = self.environment.setdefault(name, text)
        if first != text:
            self.environment[f"{name}\0{label}"] = text

    def tag(self, key: str, tag: str, plugin: str, facts: Mapping[str, Any]) -> None:
        """The metadata of a tag; as in TensorBoard, the first that are given hold."""
        told = {"plugin": plugin, **facts}
        kept: dict[str, Tree] = {
            name: value for name, value in told.items() if not is_default(tag, plugin, name, value)
        }
        if not kept:
            return
        known = _mapping(self.tags.setdefault(key, kept))
        differing = sum(not same_value(known.get(name), value) for name, value in kept.items())
        if differing:
            detail = "a tag was described again in other words; the first ones stay"
            self.losses.append(Loss("tag-metadata", Fate.MERGED, key, differing, detail))

    def told_losses(self) -> Iterator[chunks.Lost]:
        """What could not be taken as it was since the last call."""
        yield from map(chunks.Lost, self.losses)
        self.losses = []

    # --- all of it --------------------------------------------------------------------------------

    def news(self, beside: Beside, *, is_whole: bool) -> Iterator[chunks.Attributes]:
        """The attributes, if they are not those given before; `is_whole`: there are no others."""
        items = tuple(self._items(beside))
        spelled = dumps([[item.role, list(item.path), item.value] for item in items])
        digest = hashlib.blake2b(spelled.encode("utf-8", "surrogatepass"), digest_size=16)
        if digest.hexdigest() == self.given or not (items or self.given):
            return
        self.given = digest.hexdigest()
        yield chunks.Attributes(items, is_whole)

    def _items(self, beside: Beside) -> Iterator[Attribute]:
        stated = {(name,): value for name, value in self.hparams.items()}
        for item in beside.attributes:
            if item.role == "config" and item.path in stated:
                stated[item.path] = _finer(stated[item.path], item.value)
        for path, value in stated.items():
            yield Attribute(path, "config", value)
        for item in beside.attributes:
            if item.role != "config" or item.path not in stated:
                yield item
            elif not same_value(stated[item.path], item.value):
                yield Attribute((*_HPARAMS, "beside", *item.path), "other", item.value)
        yield from self._others()

    def _others(self) -> Iterator[Attribute]:
        for name, value in self.session.items():
            yield Attribute((*_HPARAMS, name), "other", value)
        for label, hparams in self.again.items():
            for name, value in _mapping(hparams).items():
                yield Attribute((*_HPARAMS, label, name), "other", value)
        for name, value in self.environment.items():
            fact, _, label = name.partition("\0")
            path: KeyPath = file_fact_path(fact)
            role: Role = "environment"
            yield Attribute((*path, label) if label else path, role, value)
        for key, facts in self.tags.items():
            for name, value in _mapping(facts).items():
                yield Attribute(tag_path(key, name), "other", value)


def _finer(plain: Tree, typed: Tree) -> Tree:
    """hparams know only floats: an integer beside that says the same number is the finer word."""
    is_number = isinstance(typed, int) and not isinstance(typed, bool)
    return typed if is_number and isinstance(plain, float) and plain == typed else plain


def _mapping(tree: Tree) -> dict[str, Tree]:
    return tree if isinstance(tree, dict) else {}
