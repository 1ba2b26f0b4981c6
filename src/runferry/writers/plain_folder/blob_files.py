"""The bytes of a run as files with names that say what they are."""

from __future__ import annotations

import hashlib
import shutil
from itertools import count
from pathlib import Path
from typing import BinaryIO, Final

from runferry.dialects.plain_folder.names import Places, safe_part, safe_suffix
from runferry.model import ArtifactEntry, Blob, MediaItem, Tree

_PIECE_BYTES: Final = 1 << 20
_SUFFIXES: Final = {
    "image/png": ".png", "image/jpeg": ".jpg", "image/gif": ".gif", "image/bmp": ".bmp",
    "image/webp": ".webp", "image/tiff": ".tiff", "image/svg+xml": ".svg",
    "audio/wav": ".wav", "audio/x-wav": ".wav", "audio/mpeg": ".mp3", "audio/ogg": ".ogg",
    "audio/flac": ".flac", "video/mp4": ".mp4", "video/webm": ".webm", "video/quicktime": ".mov",
    "application/json": ".json", "application/pdf": ".pdf", "text/html": ".html",
    "text/plain": ".txt", "text/csv": ".csv", "text/markdown": ".md", "model/obj": ".obj",
    "model/gltf-binary": ".glb", "chemical/x-pdb": ".pdb",
}  # fmt: skip
_SUFFIX_OF_TYPE: Final = {"table": ".json", "plot": ".json", "html": ".html"}


class BlobFiles:
    """Stores the bytes of one run below its folder. Gives paths below it, with `/`."""

    def __init__(self, home: Path, *, is_summed: bool) -> None:
        self.sums: dict[str, str] | None = {} if is_summed else None
        """SHA-256 (hex) of what was stored, by place, where anybody asks for it."""
        self._home = home
        self._series = Places()
        self._series_folders: dict[str, str] = {}
        self._files = Places()
        self._artifacts = Places()

    def media(self, item: MediaItem) -> str | None:
        """`media/<series>/step3-row7.png`; None where there are no bytes."""
        if item.blob.is_missing:
            return None
        folder = self._series_folders.get(item.key)
        if folder is None:
            folder = self._series.place(safe_part(item.key.replace("/", ".")))
            self._series_folders[item.key] = folder
        step = "" if item.at.step is None else f"step{item.at.step}-"
        index = f"-{item.index}" if item.index else ""
        stem = f"media/{folder}/{step}row{item.at.seq}{index}"
        suffix = _suffix_of(item)
        place = f"{stem}{suffix}"
        copies = count(2)  # TensorBoard's format lets one row hold several values of a tag
        while self._home.joinpath(*place.split("/")).exists():
            place = f"{stem}~{next(copies)}{suffix}"
        return self._stored(item.blob, place)

    def file(self, path: str, blob: Blob) -> str | None:
        """`files/<path>`; None where there are no bytes."""
        if blob.is_missing:
            return None
        return self._stored(blob, f"files/{self._files.place(path)}")

    def entry(self, artifact: str, entry: ArtifactEntry) -> str | None:
        """`artifacts/<artifact>/<path>`; None where there are no bytes."""
        if entry.blob.is_missing:
            return None
        folder = safe_part(artifact.replace("/", "."), 60)
        return self._stored(
            entry.blob, f"artifacts/{self._artifacts.place(f'{folder}/{entry.path}')}"
        )

    def _stored(self, blob: Blob, place: str) -> str:
        path = self._home.joinpath(*place.split("/"))
        path.parent.mkdir(parents=True, exist_ok=True)
        assert blob.open is not None
        with blob.open() as source, path.open("xb") as sink:
            if self.sums is None:
                shutil.copyfileobj(source, sink, _PIECE_BYTES)
            else:
                self.sums[place] = _copied(source, sink)
        return place


def _copied(source: BinaryIO, sink: BinaryIO) -> str:
    digest = hashlib.sha256()
    while piece := source.read(_PIECE_BYTES):
        digest.update(piece)
        sink.write(piece)
    return digest.hexdigest()


def blob_tree(blob: Blob, file: str | None) -> dict[str, Tree]:
    """How a blob is found again, and what is known of it."""
    return {
        "file": file,
        "size": blob.size,
        "media_type": blob.media_type,
        "sha256": blob.sha256,
    }


def _suffix_of(item: MediaItem) -> str:
    stated = safe_suffix(item.path.rsplit("/", 1)[-1]) if item.path else ""
    known = _SUFFIXES.get((item.blob.media_type or "").partition(";")[0].strip().lower(), "")
    return stated or known or _SUFFIX_OF_TYPE.get(item.media_type, ".bin")
