"""The model's small things as trees, for the bundle beside a run: exact, both ways."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields
from types import NoneType
from typing import Any, Final, TypeVar, cast

from runferry.chunks import Artifact, Document, Raw
from runferry.losses import Fate, Loss
from runferry.model import (
    Address,
    ArtifactEntry,
    Attribute,
    Blob,
    Fork,
    MediaItem,
    Run,
    RunKey,
    Series,
    Tree,
    Uid,
)

FOREIGN: Final = (ValueError, KeyError, TypeError, AttributeError)
"""What is raised at JSON of another shape than ours: fields that lack, or are too many."""

# Decoding ends here: what comes out of a bundle is JSON of any shape, hence the one `Any`.
_Fields = dict[str, Any]

_HELD: Final[dict[str, tuple[type, ...]]] = {
    "str": (str,),
    "RunKind": (str,),
    "RunState": (str,),
    "Stream": (str,),
    "DataKind": (str,),
    "str | None": (str, NoneType),
    "Uid | None": (str, NoneType),
    "int | None": (int, NoneType),
    "bool": (bool,),
}
"""What a plain field may hold, by its annotation."""
_PLAIN_FIELDS: Final = {
    kind: [(one.name, _HELD[str(one.type)]) for one in fields(kind) if one.type in _HELD]
    for kind in (Run, RunKey, Series)
}

_Made = TypeVar("_Made", Run, RunKey, Series)

Keep = Callable[[Blob, str], Tree]
"""Stores a blob under a wished artifact path, and says how it is found again."""
Find = Callable[[Tree], Blob]
"""The inverse of `Keep`."""


def run_tree(run: Run) -> Tree:
    """A run's header."""
    tree = _plain(run, {"key", "forked_from", "tags", "labels"})
    tree["key"] = [run.key.tracker, run.key.scope, run.key.run_id]
    tree["tags"] = list(run.tags)
    tree["labels"] = [[label, value] for label, value in run.labels.items()]
    if run.forked_from is not None:
        tree["forked_from"] = _plain(run.forked_from, set())
    return tree


def run_of(tree: Tree) -> Run:
    """The inverse of `run_tree`. Raises KeyError, TypeError, ValueError for another shape."""
    kept = cast("_Fields", tree) | {}
    kept["key"] = typed(RunKey(*kept["key"]))
    kept["tags"] = texts(kept["tags"])
    kept["labels"] = labels_of(kept["labels"])
    if kept.get("forked_from") is not None:
        kept["forked_from"] = Fork(**kept["forked_from"])
    if kept.get("origin_uid") is not None:
        kept["origin_uid"] = Uid(kept["origin_uid"])
    return typed(Run(**kept))


def attribute_tree(attribute: Attribute, frozen: str | None = None) -> Tree:
    """One attribute, with the name it has as a param, and the older value that MLflow kept."""
    tree = _plain(attribute, {"path"})
    tree["path"] = list(attribute.path)
    if frozen is not None:
        tree["frozen"] = frozen
    return tree


def attribute_of(tree: Tree) -> Attribute:
    """The inverse of `attribute_tree`. Raises as `run_of`."""
    kept = cast("_Fields", tree)
    return Attribute(texts(kept["path"]), kept["role"], kept["value"], kept.get("name"))


def frozen_of(tree: Tree) -> str | None:
    """The older value that MLflow kept of an attribute, where it did."""
    return cast("str | None", cast("_Fields", tree).get("frozen"))


def series_tree(series: Series) -> Tree:
    """One series, with its key here and the key it had before."""
    tree = _plain(series, {"path", "counts"})
    tree["path"] = list(series.path)
    return tree


def series_of(tree: Tree) -> Series:
    """The inverse of `series_tree`; counts are the archive's. Raises as `run_of`."""
    kept = cast("_Fields", tree)
    return typed(Series(**(kept | {"path": texts(kept["path"]), "counts": None})))


def texts(stated: object) -> tuple[str, ...]:
    """A list of texts, as the model has it. Raises TypeError for anything else."""
    if not isinstance(stated, list) or not all(isinstance(text, str) for text in stated):
        raise TypeError(f"no list of texts: {stated!r:.60}")
    return tuple(stated)


def labels_of(pairs: Iterable[tuple[object, object]]) -> dict[str, str]:
    """Labels from pairs. Raises TypeError where one is no text, ValueError where one is no pair."""
    found: dict[str, str] = {}
    for label, value in pairs:
        if not isinstance(label, str) or not isinstance(value, str):
            raise TypeError(f"the label {label!r:.60} is {value!r:.60}")
        found[label] = value
    return found


def typed(made: _Made) -> _Made:
    """The same. Raises TypeError where JSON gave a field what the model cannot hold there."""
    for name, held in _PLAIN_FIELDS[type(made)]:
        value = getattr(made, name)
        if not isinstance(value, held):
            raise TypeError(f"{name} is {value!r:.60}")
    return made


def media_tree(item: MediaItem, kept: Tree) -> Tree:
    """One media item; `kept` is where its bytes are."""
    tree = _plain(item, {"at", "blob"})
    tree["at"] = _plain(item.at, set())
    tree["blob"] = kept
    return tree


def media_of(tree: Tree, find: Find) -> MediaItem:
    """The inverse of `media_tree`."""
    kept = cast("_Fields", tree)
    return MediaItem(**(kept | {"at": Address(**kept["at"]), "blob": find(kept["blob"])}))


def artifact_tree(artifact: Artifact, entries: list[Tree]) -> Tree:
    """One artifact version; `entries` are its members, encoded."""
    tree = _plain(artifact, {"aliases", "entries"})
    tree["aliases"] = list(artifact.aliases)
    tree["entries"] = entries
    return tree


def entry_tree(entry: ArtifactEntry, kept: Tree) -> Tree:
    """One member of an artifact."""
    tree = _plain(entry, {"blob"})
    tree["blob"] = kept
    return tree


def artifact_of(tree: Tree, find: Find) -> Artifact:
    """The inverse of `artifact_tree`."""
    kept = cast("_Fields", tree) | {}
    kept["aliases"] = texts(kept["aliases"])
    kept["entries"] = tuple(
        ArtifactEntry(**(entry | {"blob": find(entry["blob"])})) for entry in kept["entries"]
    )
    return Artifact(**kept)


def document_tree(document: Document) -> Tree:
    """A document."""
    return _plain(document, set())


def document_of(tree: Tree) -> Document:
    """The inverse of `document_tree`."""
    return Document(**cast("_Fields", tree))


def raw_tree(raw: Raw) -> Tree:
    """A record nobody understood."""
    return _plain(raw, set())


def raw_of(tree: Tree) -> Raw:
    """The inverse of `raw_tree`."""
    return Raw(**cast("_Fields", tree))


def loss_tree(loss: Loss) -> Tree:
    """A loss."""
    tree = _plain(loss, {"fate"})
    tree["fate"] = loss.fate.label
    return tree


def loss_of(tree: Tree) -> Loss:
    """The inverse of `loss_tree`."""
    kept = cast("_Fields", tree)
    return Loss(**(kept | {"fate": Fate.parse(kept["fate"])}))


def _plain(
    thing: Run
    | Fork
    | Attribute
    | Series
    | MediaItem
    | Address
    | Artifact
    | ArtifactEntry
    | Document
    | Raw
    | Loss,
    without: set[str],
) -> dict[str, Tree]:
    """A dataclass's fields, without those that stand at their default of None."""
    return {
        f.name: getattr(thing, f.name)
        for f in fields(thing)
        if f.name not in without and not (f.default is None and getattr(thing, f.name) is None)
    }
