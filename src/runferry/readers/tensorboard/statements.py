"""What each event file says of its run, apart from rows.

Files grow beside each other, so what they say together is made of all of them in their order, by
every read anew: it does not depend on which of them was read first.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from runferry.dialects.tensorboard.names import is_default
from runferry.dialects.times import seconds_ns
from runferry.model import Tree, same_value

_OF_SESSION = ("model_uri", "monitor_url")


@dataclass
class Statements:
    """Of one file, from its first record on: plain data, so a cursor carries it."""

    hparams: dict[str, Tree] = field(default_factory=dict)  # the first value of each
    again: dict[str, list[Tree]] = field(default_factory=dict)  # later values of these
    session: dict[str, Tree] = field(default_factory=dict)
    group: str | None = None
    start_ns: int | None = None
    is_begun: bool = False  # a session starts in this file
    status: str | None = None
    end_ns: int | None = None
    environment: dict[str, Tree] = field(default_factory=dict)
    tags: dict[str, dict[str, Tree]] = field(default_factory=dict)  # by key: what is no default
    retold: dict[str, int] = field(default_factory=dict)  # by key: facts that came in other words

    def tree(self) -> dict[str, Tree]:
        """What `restored` needs."""
        return dict(vars(self))

    @classmethod
    def restored(cls, tree: Any) -> Self:
        """The inverse of `tree`. Raises TypeError for what is none."""
        return cls(**copy.deepcopy(tree))

    def start(self, message: Mapping[str, Any]) -> None:
        """A session_start_info; the first one that says a thing is believed."""
        for name, value in (message.get("hparams") or {}).items():
            known = self.hparams.setdefault(name, value)
            if not is_among(value, [known, *self.again.get(name, [])]):
                self.again.setdefault(name, []).append(value)
        for name in _OF_SESSION:
            if message.get(name):
                self.session.setdefault(name, str(message[name]))
        if message.get("group_name") and self.group is None:
            self.group = str(message["group_name"])
        if self.start_ns is None:
            self.start_ns = _stated_ns(message.get("start_time_secs"))
        self.is_begun = True
        self.status = self.end_ns = None  # it goes on: what ended was an earlier session

    def end(self, message: Mapping[str, Any]) -> None:
        """A session_end_info."""
        self.status = str(message.get("status") or "STATUS_UNKNOWN")
        self.end_ns = _stated_ns(message.get("end_time_secs"))

    def describe(self, name: str, text: str) -> None:
        """What the file says of itself: its version, or what wrote it."""
        self.environment.setdefault(name, text)

    def tag(self, key: str, tag: str, plugin: str, facts: Mapping[str, Any]) -> None:
        """The metadata of a tag; as in TensorBoard, the first that are given hold."""
        told = {"plugin": plugin, **facts}
        kept: dict[str, Tree] = {
            name: value for name, value in told.items() if not is_default(tag, plugin, name, value)
        }
        if kept and (other := unlike(self.tags.setdefault(key, kept), kept)):
            self.retold[key] = self.retold.get(key, 0) + other


def unlike(known: Mapping[str, Tree], told: Mapping[str, Tree]) -> int:
    """How many facts are told in other words than they are known by."""
    return sum(not same_value(known.get(name), value) for name, value in told.items())


def is_among(value: Tree, known: Iterable[Tree]) -> bool:
    """Whether it is one of these."""
    return any(same_value(value, one) for one in known)


def _stated_ns(seconds: Tree) -> int | None:
    """Zero is how the format says that nobody stated a time."""
    return seconds_ns(seconds) if seconds else None
