"""Artifacts as W&B's records have them; their bytes lie beside the run until it is uploaded."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from runferry.chunks import Artifact
from runferry.dialects.protobuf import field, integer
from runferry.model import ArtifactEntry, Tree, Uid
from runferry.writers.wandb.blob_files import StoredFile
from runferry.writers.wandb.place import Place
from runferry.writers.wandb.shown_json import config_json

ARTIFACT: Final = 8
USED: Final = 25
NO_TYPE: Final = "unspecified"

_NAME_AT_MOST: Final = 128
_UNFIT: Final = re.compile(r"[^\w.\-]", re.ASCII)


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """A member of an artifact, and where its bytes lie."""

    entry: ArtifactEntry
    file: StoredFile | None

    @property
    def is_shown(self) -> bool:
        """Whether W&B can have it: bytes that are there, or a reference."""
        return self.file is not None or self.entry.reference is not None

    @property
    def digest(self) -> str:
        """What W&B's manifest says of it: the MD5 of bytes, and of a reference what is known."""
        if self.file is not None:
            return self.file.md5
        return self.entry.digest or self.entry.reference or ""


Content: TypeAlias = "tuple[str, str, str]"
"""Name, type and digest of a version: by what W&B knows it again."""


@dataclass(frozen=True, slots=True)
class Produced:
    """An artifact that W&B is shown: where losses have it, and by what W&B knows its content."""

    place: str
    content: Content


def place_of(artifact: Artifact) -> str:
    """How a loss names an artifact."""
    stated = (artifact.name, artifact.type, artifact.relation, artifact.version)
    return "/".join(part for part in (*stated, artifact.artifact_id) if part is not None)


def shown_of(entries: Sequence[StoredEntry]) -> list[StoredEntry]:
    """Those that W&B can have, in its order."""
    return sorted((one for one in entries if one.is_shown), key=lambda one: one.entry.path)


def produced(artifact: Artifact, entries: Sequence[StoredEntry], uid: Uid, place: Place) -> bytes:
    """An `ArtifactRecord`. Its `local_path`s are absolute, as W&B's own: below the run's folder."""
    shown = shown_of(entries)
    stated = f"{uid}/{artifact.name}/{artifact.version}"
    named = [
        field(1, place.run_id),
        field(2, place.project),
        field(3, place.entity),
        field(4, artifact.type or NO_TYPE),
        field(5, fit_name(artifact.name)),
        field(6, manifest_digest(shown)),
        field(7, artifact.description or ""),
        field(8, "" if artifact.metadata is None else config_json(_metadata(artifact))),
    ]
    named += [field(11, alias) for alias in artifact.aliases]
    named.append(field(12, _manifest(shown, place.folder)))
    named.append(integer(14, 1))  # it is whole
    named += [field(15, _client_id(stated)), field(16, _client_id(f"{uid}/{artifact.name}"))]
    return b"".join(named)


def used(artifact: Artifact) -> bytes:
    """A `UseArtifactRecord`."""
    version = f":{artifact.version}" if artifact.version else ""
    texts = {1: artifact.artifact_id or "", 2: artifact.type, 3: f"{artifact.name}{version}"}
    return b"".join(field(number, text) for number, text in texts.items() if text)


def fit_name(name: str) -> str:
    """A name that W&B takes for an artifact."""
    return _UNFIT.sub("_", name)[:_NAME_AT_MOST] or "_"


def is_fit(artifact: Artifact) -> bool:
    """Whether W&B takes its name and type as they are."""
    return fit_name(artifact.name) == artifact.name and bool(artifact.type)


def manifest_digest(entries: Sequence[StoredEntry]) -> str:
    """As W&B's clients make it: the MD5 of paths and digests, in the order of paths."""
    digest = hashlib.md5(b"wandb-artifact-manifest-v1\n", usedforsecurity=False)
    for one in entries:
        digest.update(f"{one.entry.path}:{one.digest}\n".encode("utf-8", "replace"))
    return digest.hexdigest()


def _metadata(artifact: Artifact) -> Tree:
    """W&B takes a mapping; what records and service say of an artifact is none of the user's."""
    found = artifact.metadata
    if not isinstance(found, dict):
        return {"metadata": found}
    return {name: value for name, value in found.items() if name != "_wandb"}


def _client_id(stated: str) -> str:
    return hashlib.shake_256(stated.encode("utf-8", "replace")).hexdigest(64)


def _manifest(entries: Sequence[StoredEntry], home: Path) -> bytes:
    layout = field(1, "storageLayout") + field(2, '"V2"')
    contents = b"".join(field(4, _content(one, home)) for one in entries)
    return integer(1, 1) + field(2, "wandb-storage-policy-v1") + field(3, layout) + contents


def _content(one: StoredEntry, home: Path) -> bytes:
    named = field(1, one.entry.path) + field(2, one.digest)
    if one.file is None:
        return named + field(3, one.entry.reference or "")
    place = str(home.joinpath(*one.file.place.split("/")))
    return named + integer(4, one.file.size) + field(6, place)
