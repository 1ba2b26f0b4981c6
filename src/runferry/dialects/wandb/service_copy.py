"""What lies beside a copy of ours in W&B's service, as a file of the run: what W&B cannot say.

`runferry/run.json` is JSON as `tables.dumps` spells it:

    format, version
    run          the header
    state, tags  what W&B is shown of it
    stated       names of the environment that W&B states anyway, and the run stated, too
    series       stream, path in W&B, and the kind of their whole numbers and of all others, or null
    attributes   that JSON, or W&B, would change: each with the path `at` which W&B has it
    beside       attributes for which W&B has no place
    files        those that W&B has under another name, or in another role: that name, the path and
                 the role
    rows         of history, as sent

What W&B says decides: only what is still there as it was sent is given back as it had been.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Self, cast

import numpy as np

from runferry.dialects import codec
from runferry.model import Attribute, FileRole, KeyPath, Role, Run, Stream, Tree
from runferry.tables import dumps, loads

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

COPY_FILE: Final = "runferry/run.json"
ADDED_ENVIRONMENT: Final = ("host", "username", "started_at")
"""What W&B states in the environment of every run of ours, from its header."""

_FORMAT: Final = "runferry-wandb-service"
_VERSION: Final = 2
_EXACT: Final = 2**53
_BESIDE: Final = (
    "project", "entity", "user", "host", "source_url", "client", "kind", "parent", "forked_from",
    "created_ns", "started_ns",
)  # fmt: skip
_ENDING: Final = ("state", "status", "complete", "exit_code", "ended_ns")
_NEVER_EMPTY: Final = ("notes", "group", "job_type")

_NOTHING: Final[tuple[Tree, ...]] = ({}, None)
"""What W&B forgets; whatever stands there now, somebody wrote since."""

_WORDS: Final = frozenset({"NaN", "Infinity", "-Infinity"})
"""Texts that spell numbers where JSON has none for them."""

Place = tuple[Stream, KeyPath]
"""Where a series lies in W&B."""


@dataclass(frozen=True, slots=True)
class Kinds:
    """Of which kind the numbers of a series were: the whole ones, and all others; None: none."""

    whole: str | None = None
    fraction: str | None = None


def is_whole(values: pa.Array) -> NDArray[np.bool_]:
    """Of each number, whether a JSON without a point spells it; false for nulls."""
    found = values.fill_null(0.5).to_numpy(zero_copy_only=False)
    return np.asarray(np.isfinite(found) & (found == np.floor(found)))


@dataclass(frozen=True, slots=True)
class ServiceCopy:
    """What only we know of a run in the service."""

    run: Run
    state: str
    tags: tuple[str, ...]
    stated: tuple[str, ...] = ()
    series: Mapping[Place, Kinds] = field(default_factory=dict)
    attributes: Mapping[tuple[Role, KeyPath], Attribute] = field(default_factory=dict)
    beside: tuple[Attribute, ...] = ()
    files: Mapping[str, tuple[str, FileRole]] = field(default_factory=dict)
    rows: int = 0

    def content(self) -> bytes:
        """The bytes of the file."""
        tree: Tree = {
            "format": _FORMAT,
            "version": _VERSION,
            "run": codec.run_tree(self.run),
            "state": self.state,
            "tags": [*self.tags],
            "stated": [*self.stated],
            "series": [
                [stream, [*path], kinds.whole, kinds.fraction]
                for (stream, path), kinds in self.series.items()
            ],
            "attributes": [
                {"at": [*at], "is": codec.attribute_tree(item)}
                for (_, at), item in self.attributes.items()
            ],
            "beside": [codec.attribute_tree(item) for item in self.beside],
            "files": [[name, *original] for name, original in self.files.items()],
            "rows": self.rows,
        }
        return dumps(tree).encode("utf-8", "surrogatepass")

    @classmethod
    def of(cls, content: bytes) -> Self:
        """The inverse of `content`. Raises one of `own_files.MALFORMED`."""
        tree = cast("dict[str, Any]", loads(content))
        if (tree["format"], tree["version"]) != (_FORMAT, _VERSION):
            raise ValueError(f"of the form {tree['format']} {tree['version']}")
        found = [(tuple(it["at"]), codec.attribute_of(it["is"])) for it in tree["attributes"]]
        return cls(
            codec.run_of(tree["run"]),
            tree["state"],
            tuple(tree["tags"]),
            tuple(tree["stated"]),
            {(stream, tuple(path)): Kinds(*kinds) for stream, path, *kinds in tree["series"]},
            {(item.role, at): item for at, item in found},
            tuple(map(codec.attribute_of, tree["beside"])),
            {name: (path, role) for name, path, role in tree["files"]},
            tree["rows"],
        )

    @property
    def paths(self) -> tuple[KeyPath, ...]:
        """Those of the user's series, which W&B joins by dots."""
        return tuple(path for stream, path in self.series if stream == "user")

    def header(self, there: Run) -> Run:
        """The header as it was, as far as W&B still has what it was shown."""
        was = self.run
        names = [*_BESIDE, *(_ENDING if there.state == self.state else ())]
        names += [name for name in _NEVER_EMPTY if not (getattr(was, name) or getattr(there, name))]
        if not was.name and there.name == there.key.run_id:
            names.append("name")
        if {*there.tags} == {*self.tags}:
            names += ["tags", "labels"]
        return replace(there, **{name: getattr(was, name) for name in names})

    def attribute(self, there: Attribute) -> Attribute:
        """An attribute as it was, if W&B still has what it was shown."""
        was = self.attributes.get((there.role, there.path))
        return was if was is not None and _is_shown(was.value, there.value) else there

    def with_beside(
        self, there: tuple[Attribute, ...], *, is_as_sent: bool
    ) -> tuple[Attribute, ...]:
        """The same and those besides; W&B's own counts in a summary where nobody logged more."""
        taken = {(item.role, item.path[: len(own.path)]) for item in there for own in self.beside
                 if own.value in _NOTHING}  # fmt: skip
        ours = {
            (item.role, item.path): item
            for item in self.beside
            if (is_as_sent or item.role != "summary")
            and not (item.value in _NOTHING and (item.role, item.path) in taken)
        }
        return (*(it for it in there if (it.role, it.path) not in ours), *ours.values())


def is_changed(value: Tree) -> bool:
    """Whether JSON, or W&B, gives a value back that is another."""
    match value:
        case bool() | None:
            return False
        case str():
            return value in _WORDS
        case int():
            return abs(value) >= _EXACT
        case float():
            return value.is_integer() or not math.isfinite(value)
        case list():
            return any(map(is_changed, value))
        case dict():
            return any(map(is_changed, value.values()))
        case _:
            return True


def _is_shown(was: Tree, there: Tree) -> bool:
    """Whether `there` is what W&B makes of a value."""
    if isinstance(was, bytes):
        return there == base64.b64encode(was).decode("ascii")
    if isinstance(was, datetime):
        return there == was.astimezone(UTC).isoformat()
    if isinstance(was, list) and isinstance(there, list):
        return len(was) == len(there) and all(map(_is_shown, was, there))
    if isinstance(was, dict) and isinstance(there, dict):
        return was.keys() == there.keys() and all(_is_shown(v, there[k]) for k, v in was.items())
    if _is_number(was) and _is_number(there):
        return was == there or (was != was and there != there) or _nearest(was) == _nearest(there)
    if isinstance(was, float) and isinstance(there, str):
        return there == json.dumps(was)
    if isinstance(was, str) and isinstance(there, float):
        return was == json.dumps(there)
    return type(was) is type(there) and was == there


def _is_number(value: Tree) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _nearest(value: Tree) -> float:
    """The nearest double, as readers of JSON have it."""
    try:
        return float(cast("float", value))
    except OverflowError:
        return float("inf")
