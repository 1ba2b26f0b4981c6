"""Media as W&B shows them: a mapping with `_type` and the path of the bytes below `files`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import pyarrow as pa

from runferry.dialects.plain_folder.names import safe_suffix
from runferry.dialects.row_tables import media_batch
from runferry.dialects.wandb.service_copy import is_changed
from runferry.model import MediaItem, Tree
from runferry.writers.wandb.blob_files import BlobFiles, StoredFile
from runferry.writers.wandb.histograms import with_json
from runferry.writers.wandb.shown_json import history_json


@dataclass(frozen=True, slots=True)
class _Kind:
    """How W&B calls one medium, several in a row, their folder, and what their names end with."""

    one: str
    several: str
    folder: str
    suffix: str = ".bin"


_KINDS: Final = {
    "image": _Kind("image-file", "images/separated", "images", ".png"),
    "audio": _Kind("audio-file", "audio", "audio", ".wav"),
    "video": _Kind("video-file", "videos", "videos", ".mp4"),
    "table": _Kind("table-file", "table", "table", ".table.json"),
    "html": _Kind("html-file", "html", "html", ".html"),
    "plot": _Kind("plotly-file", "plotly", "plotly", ".plotly.json"),
    "object3d": _Kind("object3D-file", "object3D", "object3D", ".obj"),
    "molecule": _Kind("molecule-file", "molecule", "molecule", ".pdb"),
}
_OTHER: Final = _Kind("file", "files", "file")
_FIXED: Final = {"table", "plot", "html"}  # by whose ending W&B finds out how to show them
_OF_A_PICTURE: Final = ("width", "height", "format")
_PER_ITEM: Final = ("all_boxes", "all_masks", "all_captions")
_FIELD: Final = "\0"
"""Between a series' key and a field of its media, in the names that the fields have for the log."""


@dataclass(frozen=True, slots=True)
class StoredMedium:
    """A medium, and where its bytes lie."""

    item: MediaItem
    file: StoredFile | None


def store(items: tuple[MediaItem, ...], blobs: BlobFiles) -> list[StoredMedium]:
    """Store the bytes of all of them."""
    stored = []
    for item in items:
        kind = _KINDS.get(item.media_type, _OTHER)
        step = item.at.step if item.at.step is not None else 0
        named = f"{kind.folder}/{item.key}_{step}"
        stored.append(StoredMedium(item, blobs.medium(named, _suffix(item, kind), item.blob)))
    return stored


def is_of_no_kind(item: MediaItem) -> bool:
    """Whether W&B, which does not know this kind of media, has it as a file."""
    return item.media_type not in _KINDS and item.media_type != _OTHER.one


def _suffix(item: MediaItem, kind: _Kind) -> str:
    stated = safe_suffix(item.path.rsplit("/", 1)[-1]) if item.path else ""
    return kind.suffix if item.media_type in _FIXED or not stated else stated


def field_name(key: str, field: str) -> str:
    """How the log calls a field of the media of a series."""
    return f"{key}{_FIELD}{field}"


def shown_media(stored: list[StoredMedium]) -> tuple[pa.RecordBatch, list[tuple[str, str]]] | None:
    """Rows of `_native.WandbLog.media`, a row a field, and the (key, field) of each that occurs.

    Clients write a medium field by field, and W&B's terminal viewer knows it by that only. None
    where no bytes are there to be shown.
    """
    rows: list[MediaItem] = []
    texts: list[str] = []
    fields: dict[tuple[str, str], None] = {}
    for group in _rows(stored):
        value = _value(group)
        first = group[0].item
        for name, part in value.items():
            rows.append(MediaItem(field_name(first.key, name), first.at, "other", first.blob))
            texts.append(history_json(part))
            fields[first.key, name] = None
    if not rows:
        return None
    nothing: list[str | None] = [None] * len(rows)
    batch = media_batch(tuple(rows))
    return with_json(batch, texts, nothing, ["shown"] * len(rows)), list(fields)


def _rows(stored: list[StoredMedium]) -> Iterator[list[StoredMedium]]:
    """Those that were logged as one value, as far as their bytes are there."""
    there = (medium for medium in stored if medium.file is not None)
    for _, same in groupby(there, key=lambda medium: (medium.item.key, medium.item.at)):
        yield list(same)


def _value(group: list[StoredMedium]) -> dict[str, Tree]:
    kind = _KINDS.get(group[0].item.media_type, _OTHER)
    if len(group) > 1:
        return _several(group, kind)
    (medium,) = group
    assert medium.file is not None
    stated = _stated(medium.item.metadata)
    value: dict[str, Tree] = {
        **stated,
        "_type": kind.one,
        "path": medium.file.below_files,
        "sha256": medium.file.sha256,
        "size": medium.file.size,
    }
    if medium.item.media_type == "image":
        value.setdefault("format", medium.file.place.rpartition(".")[2])
    if medium.item.media_type == "table":
        value.update(_table_size(medium))
    if medium.item.caption is not None:
        value["caption"] = medium.item.caption
    return value


def _stated(metadata: Tree) -> dict[str, Tree]:
    """What a medium of W&B's had besides; others' metadata say nothing to it but a size."""
    if not isinstance(metadata, dict):
        return {}
    if isinstance(metadata.get("_type"), str):
        left_out = ("filenames", "captions", "count", *_PER_ITEM)
        return {name: value for name, value in metadata.items() if name not in left_out}
    return {name: metadata[name] for name in _OF_A_PICTURE if name in metadata}


def _several(group: list[StoredMedium], kind: _Kind) -> dict[str, Tree]:
    paths: list[Tree] = [medium.file.below_files for medium in group if medium.file]
    captions: list[Tree] = [medium.item.caption or "" for medium in group]
    shared = _stated(group[0].item.metadata)
    value: dict[str, Tree] = {"_type": kind.several, "count": len(group)}
    if kind.one == "image-file":
        value["format"] = str(paths[0]).rpartition(".")[2]
        value.update({name: shared[name] for name in _OF_A_PICTURE if name in shared})
        value["filenames"] = paths
        value.update(_per_item(group))
    else:
        value[kind.several] = [_value([medium]) for medium in group]
    if any(captions):
        value["captions"] = captions
    return value


def _per_item(group: list[StoredMedium]) -> dict[str, Tree]:
    """Boxes and masks: one list each, an element an image."""
    stated = [medium.item.metadata for medium in group]
    trees = [tree if isinstance(tree, dict) else {} for tree in stated]
    names = [name for name in _PER_ITEM if any(name in tree for tree in trees)]
    return {name: [tree.get(name) for tree in trees] for name in names}


def metadata_given_otherwise(stored: list[StoredMedium]) -> Iterator[MediaItem]:
    """Those whose metadata W&B gives back as another."""
    for group in _rows(stored):
        value, kind = _value(group), _KINDS.get(group[0].item.media_type, _OTHER)
        for index, medium in enumerate(group):
            was = medium.item.metadata
            if was != _given_back(value, index, len(group), kind) or is_changed(was):
                yield medium.item


def _given_back(value: dict[str, Tree], index: int, count: int, kind: _Kind) -> Tree:
    """What readers of W&B find with one of the media of a row."""
    if count == 1:
        return {name: part for name, part in value.items() if name != "caption"}
    if kind.one == "image-file":
        own = {name: part[index] for name in _PER_ITEM if isinstance(part := value.get(name), list)}
        elsewhere = ("filenames", "captions", *_PER_ITEM)
        shared = {name: part for name, part in value.items() if name not in elsewhere}
        return ({**shared, **own} if index == 0 else own) or None
    items = value[kind.several]
    assert isinstance(items, list)
    item = items[index]
    assert isinstance(item, dict)
    group = {n: part for n, part in value.items() if n not in (kind.several, "captions")}
    return {**item, "group": group} if index == 0 else item


_TABLE_AT_MOST: Final = 64 << 20  # bytes; a larger one is not opened for its size


def _table_size(medium: StoredMedium) -> dict[str, Tree]:
    """How many columns and rows W&B's form of a table has; nothing for any other."""
    opener = medium.item.blob.open
    if opener is None or medium.file is None or medium.file.size > _TABLE_AT_MOST:
        return {}
    with opener() as stream:
        try:
            table = json.load(stream)
        except ValueError:
            return {}
    if not isinstance(table, dict):
        return {}
    columns, rows = table.get("columns"), table.get("data")
    if not isinstance(columns, list) or not isinstance(rows, list):
        return {}
    return {"ncols": len(columns), "nrows": len(rows)}
