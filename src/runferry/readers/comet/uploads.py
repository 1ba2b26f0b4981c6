"""Files that an experiment is to upload: what each is, by the word that Comet has for it."""

from __future__ import annotations

import mimetypes
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from runferry import chunks
from runferry.model import (
    Address,
    ArtifactEntry,
    Attribute,
    FileRole,
    MediaItem,
    MediaType,
    Tree,
)
from runferry.readers.comet.members import Members

_MEDIA: Final[dict[str, MediaType]] = {
    "visualization": "image",
    "audio": "audio",
    "video": "video",
    "3d-image": "object3d",
    "points-3d": "object3d",
    "histogram3d": "other",
    "confusion-matrix": "plot",
    "curve": "plot",
    "embeddings": "other",
    "dataframe": "table",
    "dataframe-profile": "other",
}
_JSON: Final = {"histogram3d", "confusion-matrix", "curve", "embeddings"}
_ROLES: Final[dict[str, FileRole]] = {"source_code": "source", "notebook": "source"}
MODEL: Final = "model-element"
TEXT: Final = "text-sample"
TEXT_AT_MOST: Final = 16 << 20
_NAMES: Final = ("fileName", "figName", "assetId")
_IDS: Final = ("assetId", "imageId")
_WORDS: Final = ("context", "groupingName")
_UNNAMED: Final = "auto-generated-in-the-backend"


@dataclass(frozen=True, slots=True)
class Upload:
    """A `file_upload` or `remote_file` message."""

    kind: str
    name: str
    asset_id: str | None
    step: Tree
    time_ms: Tree
    context: str | None
    path: str  # the member that has the bytes
    uri: str | None
    model: str | None
    metadata: Tree
    epoch: Tree
    rest: dict[str, Tree]
    """What else its parameters say: sample rates, sizes, counters."""

    @classmethod
    def of(cls, payload: dict[str, Tree]) -> Upload | None:
        """None for a message that names no file."""
        stated = payload.get("additional_params")
        params = stated if isinstance(stated, dict) else {}
        kind = payload.get("upload_type")
        path, uri = payload.get("file_path"), payload.get("remote_uri")
        if not isinstance(kind, str) or not (isinstance(path, str) or isinstance(uri, str)):
            return None
        named = next(filter(params.get, _NAMES), None)
        known = next(filter(params.get, _IDS), None)
        name = str(params[named]) if named else kind
        taken = {named, known, "step", "epoch"} | {
            key for key in _WORDS if isinstance(params.get(key), str)
        }
        if kind != MODEL:
            taken.discard("groupingName")
        repeated = {"type": kind, "extension": name.rpartition(".")[2], "overwrite": False}
        taken |= {key for key, it in repeated.items() if params.get(key) == it}
        return cls(
            kind,
            name,
            _word(params[known]) if known else None,
            params.get("step"),
            payload.get("local_timestamp"),
            _word(params.get("context")),
            path if isinstance(path, str) else "",
            _word(uri),
            _word(params.get("groupingName")),
            payload.get("metadata"),
            params.get("epoch"),
            {key: it for key, it in params.items() if key not in taken and it is not None},
        )

    @property
    def is_text(self) -> bool:
        """Whether its bytes are a text that was logged."""
        return self.kind == TEXT and self.uri is None

    @property
    def is_media(self) -> bool:
        """Whether it is one of a series."""
        return self.kind in _MEDIA and self.uri is None

    @property
    def key(self) -> tuple[str, ...]:
        """The path of its series."""
        name = self.kind if self.name == _UNNAMED else self.name
        return (name,) if self.context is None else (self.context, name)

    def beside(self) -> dict[str, Tree]:
        """What is said of it besides its name, bytes, step and epoch."""
        said: dict[str, Tree] = {
            "asset_id": self.asset_id,
            "metadata": self.metadata,
            "params": self.rest,
        }
        return {name: value for name, value in said.items() if value not in (None, {})}

    @property
    def media_type(self) -> str | None:
        """The MIME type of its bytes, as far as its name tells."""
        if self.kind in _JSON:
            return "application/json"
        return mimetypes.guess_type(self.name)[0]


@dataclass
class Uploads:
    """Gathers what is a file or a model of the run; several of one name are told apart."""

    members: Members
    _files: dict[str, Upload] = field(default_factory=dict)
    _models: dict[str, dict[str, Upload]] = field(default_factory=dict)
    _remote: dict[str, Upload] = field(default_factory=dict)

    def item(self, upload: Upload, key: str, at: Address) -> MediaItem:
        """One of a series."""
        blob = self.members.blob(upload.path, upload.media_type)
        kind = _MEDIA[upload.kind]
        told: dict[str, Tree] = {"type": upload.kind, **upload.beside()}
        if upload.epoch is not None:
            told["epoch"] = upload.epoch
        return MediaItem(key, at, kind, blob, path=upload.name, metadata=told)

    def keep(self, upload: Upload) -> None:
        """Remember a file, for `belongings`."""
        if upload.uri is not None:
            kept = self._remote
        elif upload.kind == MODEL:
            kept = self._models.setdefault(upload.model or "model", {})
        else:
            kept = self._files
        kept[_free(upload, kept)] = upload

    def belongings(self) -> Iterator[chunks.Chunk]:
        """Files, models and references."""
        for name, upload in self._files.items():
            blob = self.members.blob(upload.path, upload.media_type)
            yield chunks.File(name, _ROLES.get(upload.kind, "other"), blob)
        for name, uploads in self._models.items():
            entries = tuple(
                ArtifactEntry(path, self.members.blob(one.path, one.media_type))
                for path, one in uploads.items()
            )
            yield chunks.Artifact(name, "model", "produced", entries=entries)
        for name, upload in self._remote.items():
            entry = ArtifactEntry(upload.name, reference=upload.uri)
            yield chunks.Artifact(
                name, "remote", "produced", metadata=upload.metadata, entries=(entry,)
            )

    def attributes(self) -> Iterator[Attribute]:
        """What is said of files that a file has no place for; each has a path of its own."""
        taken: set[str] = set()
        models = (one for them in self._models.values() for one in them.values())
        for upload in (*self._files.values(), *models, *self._remote.values()):
            told: dict[str, Tree] = {"type": upload.kind}
            for key, value in (
                ("asset_id", upload.asset_id),
                ("step", upload.step),
                ("local_timestamp", upload.time_ms),
                ("context", upload.context),
                ("epoch", upload.epoch),
                ("model", upload.model if upload.kind == MODEL else None),
                ("metadata", upload.metadata or None),
                ("params", upload.rest or None),
            ):
                if value is not None:
                    told[key] = value
            name = _free(upload, taken)
            taken.add(name)
            yield Attribute(("assets", name), "other", told)


def _free(upload: Upload, taken: Container[str]) -> str:
    """Its name, or one like it where another has that."""
    name = upload.name
    if name in taken and upload.asset_id is not None:
        name = f"{name}~{upload.asset_id[:8]}"
    return next(it for it in _numbered(name) if it not in taken)


def _numbered(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}~{number}" for number in count(2))


def _word(value: Tree) -> str | None:
    return value if isinstance(value, str) else None
