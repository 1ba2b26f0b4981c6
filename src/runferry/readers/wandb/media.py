"""W&B's media values (`_type`, paths, captions) as media items with their bytes."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator
from pathlib import Path

from runferry.model import Address, Blob, MediaItem, MediaType, Tree
from runferry.paths import blob_at, inside

TYPES: dict[str, MediaType] = {
    "image-file": "image",
    "images": "image",
    "images/separated": "image",
    "audio-file": "audio",
    "audio": "audio",
    "video-file": "video",
    "videos": "video",
    "table-file": "table",
    "table": "table",
    "joined-table": "table",
    "partitioned-table": "table",
    "html-file": "html",
    "html": "html",
    "object3D-file": "object3d",
    "object3D": "object3d",
    "molecule-file": "molecule",
    "molecule": "molecule",
    "plotly-file": "plot",
    "plotly": "plot",
    "bokeh-file": "plot",
    "bokeh": "plot",
    "graph-file": "plot",
    "graph": "plot",
}
_FOLDERS = {"image": "images", "video": "videos", "object3d": "object3D"}
_PER_ITEM = ("all_boxes", "all_masks", "all_captions")
_IMAGES_AT_MOST = 10_000  # in one row, where only their number is known
_GIVEN_ELSEWHERE = {"filenames", "captions", *_PER_ITEM}


def is_media(value: Tree) -> bool:
    """Whether a history value is a medium: a known `_type`, or any with a path of its bytes."""
    if not isinstance(value, dict) or not isinstance(kind := value.get("_type"), str):
        return False
    return kind in TYPES or isinstance(value.get("path"), str)


def media_items(
    key: str, at: Address, value: dict[str, Tree], files: Path | None
) -> Iterator[MediaItem]:
    """The items of one logged value: one, or as many as the group has, told apart by `index`.

    The first item's metadata holds all that the group has besides paths and captions.
    """
    kind = TYPES.get(str(value.get("_type")), "file")
    members = _members(key, at, value, kind)
    for index, (path, caption, sha256, metadata) in enumerate(members):
        media_type = mimetypes.guess_type(path or "")[0]
        blob = Blob(media_type=media_type, sha256=sha256)
        if files is not None and path is not None:
            found = _found(files, path, kind)
            if found is not None:
                blob = blob_at(found, media_type, sha256)
        yield MediaItem(key, at, kind, blob, index, path, caption, metadata)


_Member = tuple[str | None, str | None, str | None, Tree]  # path, caption, sha256, metadata


def _members(key: str, at: Address, value: dict[str, Tree], kind: MediaType) -> Iterator[_Member]:
    names = value.get("filenames")
    if names is None and value.get("_type") == "images/separated":
        names = _numbered(key, at, value)
    if isinstance(names, list):
        for index, name in enumerate(names):
            own = {part: _nth(value.get(part), index) for part in _PER_ITEM if part in value}
            shared = {n: v for n, v in value.items() if n not in _GIVEN_ELSEWHERE}
            metadata = {**shared, **own} if index == 0 else own
            yield str(name), _text(_nth(value.get("captions"), index)), None, metadata or None
        if names:
            return
    group = next((n for n, v in value.items() if isinstance(v, list) and _all_media(v)), None)
    if group is not None:
        shared = {n: v for n, v in value.items() if n not in (group, "captions")}
        for index, item in enumerate(_dicts(value[group])):
            caption = _nth(value.get("captions"), index)
            metadata = dict(item)
            if index == 0:
                metadata["group"] = shared
            yield (
                _path(item),
                _text(item.get("caption", caption)),
                _text(item.get("sha256")),
                metadata,
            )
        return
    yield (
        _path(value) or _guess(key, at, value, kind),
        _text(value.get("caption")),
        _text(value.get("sha256")),
        {n: v for n, v in value.items() if n != "caption" or not isinstance(v, str)},
    )


def places_of(path: str, kind: MediaType) -> tuple[str, str]:
    """Where a medium may lie among the run's files: old clients gave names without their folder."""
    return path, f"media/{_FOLDERS.get(kind, kind)}/{path}"


def _found(files: Path, path: str, kind: MediaType) -> Path | None:
    return next(filter(None, (inside(files, place) for place in places_of(path, kind))), None)


def _numbered(key: str, at: Address, value: dict[str, Tree]) -> list[Tree] | None:
    """The names that clients before 0.10.34 gave to a list of images, and did not write down."""
    count, step = value.get("count"), at.step if at.step is not None else 0
    if not isinstance(count, int) or not 0 < count <= _IMAGES_AT_MOST:
        return None
    ending = _text(value.get("format")) or "png"
    return [f"media/images/{key}_{step}_{number}.{ending}" for number in range(count)]


def _guess(key: str, at: Address, value: dict[str, Tree], kind: MediaType) -> str | None:
    """Where clients put what a record names by its artifact (tables) or only counts (`images`)."""
    stem = f"media/{_FOLDERS.get(kind, kind)}/{key}_{at.step if at.step is not None else 0}"
    if value.get("_type") == "images":
        return f"{stem}.{_text(value.get('format')) or 'jpg'}"
    sha256, reference = value.get("sha256"), value.get("artifact_path")
    if isinstance(sha256, str) and isinstance(reference, str):
        suffix = "".join(Path(reference).suffixes[-2:])
        return f"{stem}_{sha256[:20]}{suffix}"
    return reference if isinstance(reference, str) else None


def _path(value: dict[str, Tree]) -> str | None:
    return _text(value.get("path"))


def _text(value: Tree) -> str | None:
    return value if isinstance(value, str) else None


def _nth(value: Tree, index: int) -> Tree:
    return value[index] if isinstance(value, list) and index < len(value) else None


def _dicts(value: Tree) -> list[dict[str, Tree]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _all_media(values: list[Tree]) -> bool:
    return bool(values) and all(
        isinstance(v, dict) and isinstance(v.get("path"), str) for v in values
    )
