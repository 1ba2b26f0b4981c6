"""Artifact records: produced with a manifest, or used by reference."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runferry import chunks
from runferry.model import ArtifactEntry, Blob, Tree
from runferry.paths import blob_at, regular
from runferry.readers.wandb.trees import parse_json

_FIELDS = {"name", "type", "digest", "description", "metadata", "aliases", "manifest"}
_PIECE = 1 << 20


def produced(message: dict[str, Any]) -> chunks.Artifact:
    """An artifact that the run logged; what the model has no field for is under `_wandb`."""
    rest: dict[str, Tree] = {
        name: value for name, value in message.items() if name not in _FIELDS and value
    }
    manifest = dict(message.get("manifest") or {})
    entries = tuple(_entries(manifest.pop("contents", ())))
    if manifest:
        rest["manifest"] = manifest
    return chunks.Artifact(
        name=str(message.get("name", "")),
        type=str(message.get("type", "")),
        relation="produced",
        artifact_id=message.get("client_id") or None,
        aliases=tuple(str(alias) for alias in message.get("aliases") or ()),
        description=message.get("description") or None,
        metadata=_metadata(message.get("metadata"), rest),
        digest=message.get("digest") or None,
        entries=entries,
    )


def used(message: dict[str, Any]) -> chunks.Artifact:
    """An artifact that the run read: `name:version`, and the id on the server."""
    name, _, version = str(message.get("name", "")).partition(":")
    rest = {n: v for n, v in message.items() if n not in ("id", "type", "name") and v}
    return chunks.Artifact(
        name=name,
        type=str(message.get("type", "")),
        relation="used",
        version=version or None,
        artifact_id=message.get("id") or None,
        metadata={"_wandb": rest} if rest else None,
    )


def _metadata(text: object, rest: dict[str, Tree]) -> Tree:
    found: Tree = None
    if isinstance(text, str) and text:
        try:
            found = parse_json(text)
        except ValueError:
            found = text
    if not rest:
        return found
    if isinstance(found, dict):
        return {**found, "_wandb": rest}
    return {"_wandb": rest} if found is None else {"metadata": found, "_wandb": rest}


def _entries(contents: Any) -> Iterator[ArtifactEntry]:
    for item in contents or ():
        digest = item.get("digest") or None
        reference = item.get("ref") or None
        blob = Blob(size=_size(item.get("size")))
        if reference is None:
            blob = _staged(str(item.get("local_path") or ""), digest, blob)
        yield ArtifactEntry(str(item.get("path", "")), blob, reference, digest)


def _staged(local: str, digest: str | None, stated: Blob) -> Blob:
    """The bytes in the client's staging area, if they are still the ones that were logged.

    The path comes from the data and may name anything on this machine: only bytes whose MD5 the
    record knows are taken, so a forged record gets nothing that its author did not have.
    """
    path = Path(local)
    found = regular(path) if local and path.is_absolute() else None
    if found is None or (stated.size is not None and found.st_size != stated.size):
        return stated
    return blob_at(path) if digest and _md5(path) == digest else stated


def _md5(path: Path) -> str | None:
    digest = hashlib.md5(usedforsecurity=False)
    try:
        with path.open("rb") as stream:
            while piece := stream.read(_PIECE):
                digest.update(piece)
    except OSError:
        return None
    return base64.b64encode(digest.digest()).decode("ascii")


def _size(value: object) -> int | None:
    return int(value) if isinstance(value, (int, str)) and str(value).isdigit() else None
