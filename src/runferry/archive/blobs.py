"""Bytes by their SHA-256, shared between runs; what is missing stays missing."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from runferry.archive.durable import make_folder
from runferry.archive.layout import blob_path
from runferry.errors import Corrupt
from runferry.losses import Fate, Loss
from runferry.model import Blob

_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Stored:
    """A blob as the archive holds it, and what the source said of it that is not so."""

    blob: Blob
    loss: Loss | None = None


class Blobs:
    """The blobs of one archive."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, blob: Blob, where: str, scratch: str, grown: set[Path]) -> Stored:
        """Keep these bytes; `grown` collects folders that must be synced before a commit."""
        if blob.open is None:
            return Stored(blob)
        if blob.sha256 is not None and self._holds(blob.sha256, blob.size):
            return Stored(self.get(blob.sha256, blob.size, blob.media_type))
        try:
            stream = blob.open()
        except (FileNotFoundError, PermissionError) as error:
            detail = f"cannot be opened: {error.strerror}"
            gone = Blob(blob.size, blob.media_type, blob.sha256)
            return Stored(gone, Loss("missing-blob", Fate.DROPPED, where, detail=detail))
        with stream:
            sha256, size = self._copy(stream, scratch, grown)
        held = self.get(sha256, size, blob.media_type)
        return Stored(held, _difference(blob, sha256, size, where))

    def get(self, sha256: str, size: int | None, media_type: str | None) -> Blob:
        """A blob that was put before."""
        path = blob_path(self._root, sha256)
        return Blob(size, media_type, sha256, lambda: _open(path))

    def _holds(self, sha256: str, size: int | None) -> bool:
        path = blob_path(self._root, sha256)
        try:
            found = path.stat()
        except FileNotFoundError:
            return False
        return size is None or found.st_size == size

    def _copy(self, stream: BinaryIO, scratch: str, grown: set[Path]) -> tuple[str, int]:
        folder = self._root / "blobs"
        grown.update(make_folder(folder))
        temporary = folder / f".{scratch}"
        digest, size = hashlib.sha256(), 0
        try:
            with temporary.open("wb") as copy:
                while piece := stream.read(_PIECE):
                    digest.update(piece)
                    size += len(piece)
                    copy.write(piece)
                final = blob_path(self._root, digest.hexdigest())
                if not self._holds(digest.hexdigest(), size):
                    copy.flush()
                    os.fsync(copy.fileno())
            if not self._holds(digest.hexdigest(), size):
                grown.update(make_folder(final.parent))
                temporary.replace(final)
            grown.add(final.parent)
        finally:
            temporary.unlink(missing_ok=True)
        return digest.hexdigest(), size


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError as error:
        raise Corrupt(
            "a blob that a commit names is gone", where=str(path), hint="pull the run again"
        ) from error


def _difference(blob: Blob, sha256: str, size: int, where: str) -> Loss | None:
    if blob.sha256 is not None and blob.sha256 != sha256:
        detail = f"the source states SHA-256 {blob.sha256}, its bytes have {sha256}"
        return Loss("blob-differs", Fate.DROPPED, where, detail=detail)
    if blob.size is not None and blob.size != size:
        detail = f"the source states {blob.size:,} bytes, {size:,} were there"
        return Loss("blob-differs", Fate.KEPT, where, detail=detail)
    return None
