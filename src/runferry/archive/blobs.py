"""Bytes by their SHA-256, shared between runs; what is missing stays missing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from runferry.archive.blob_stream import open_blob
from runferry.archive.folders import Folders
from runferry.archive.layout import blob_path
from runferry.durable import replace_file, sync
from runferry.losses import Fate, Loss
from runferry.model import Blob

_PIECE = 1 << 20
_AT_ONCE = 256
_NOTED = 4_096


@dataclass(frozen=True, slots=True)
class Stored:
    """A blob as the archive holds it, and what the source said of it that is not so."""

    blob: Blob
    loss: Loss | None = None


class Blobs:
    """Blobs on their way into an archive: copied at once, in place at `publish`.

    They last when the chain of `shelves` was synced after that; then `settle` is due.
    """

    def __init__(self, folders: Folders, scratch: str) -> None:
        self._folders = folders
        self._root = folders.root
        self._scratch = scratch
        self._copies = 0
        self._waiting: dict[str, Path] = {}  # by hash
        self._in_place: dict[str, int] = {}  # hash and inode, of those that may not last yet
        self.shelves: set[Path] = set()
        """The folders of all blobs that may not last yet, be they ours or another's."""

    def put(self, blob: Blob, where: str) -> Stored:
        """Keep these bytes; `where` names them in a loss.

        Bytes that the archive holds under the hash that the source states are not looked at again:
        they are those that the source means, whatever stands in its own file by now.
        """
        if blob.open is None:
            return Stored(blob)
        if blob.sha256 is not None and self._holds(blob.sha256, blob.size):
            return Stored(stored_blob(self._root, blob.sha256, blob.size, blob.media_type))
        try:
            stream = blob.open()
        except (FileNotFoundError, PermissionError) as error:
            detail = f"cannot be opened: {error.strerror}"
            gone = Blob(blob.size, blob.media_type, blob.sha256)
            return Stored(gone, Loss("missing-blob", Fate.DROPPED, where, detail=detail))
        with stream:
            sha256, size = self._copy(stream)
        if len(self._waiting) >= _AT_ONCE:
            self.publish()
        held = stored_blob(self._root, sha256, size, blob.media_type)
        return Stored(held, _difference(blob, sha256, size, where))

    def _holds(self, sha256: str, size: int | None) -> bool:
        if sha256 in self._waiting:
            return True
        path = blob_path(self._root, sha256)
        try:
            found = path.stat()
        except FileNotFoundError:
            return False
        if size is not None and found.st_size != size:
            return False
        if not self._folders.is_lasting_blob(sha256, found.st_ino):
            # another process may have put it there and not have synced the folder yet
            self._note(sha256, path.parent, found.st_ino)
        return True

    def _note(self, sha256: str, shelf: Path, inode: int) -> None:
        self.shelves.add(shelf)
        if len(self._in_place) < _NOTED:
            self._in_place[sha256] = inode

    def _copy(self, stream: BinaryIO) -> tuple[str, int]:
        piece = stream.read(_PIECE)
        following = stream.read(_PIECE) if piece else b""
        if not following:  # in memory as a whole: what is held already is not written again
            sha256 = hashlib.sha256(piece).hexdigest()
            if not self._holds(sha256, len(piece)):
                with self._new_copy() as copy:
                    copy.write(piece)
                self._waiting[sha256] = Path(copy.name)
            return sha256, len(piece)
        digest, size = hashlib.sha256(), 0
        with self._new_copy() as copy:
            while piece:
                digest.update(piece)
                size += len(piece)
                copy.write(piece)
                piece, following = following, stream.read(_PIECE) if following else b""
        sha256 = digest.hexdigest()
        if self._holds(sha256, size):
            Path(copy.name).unlink()
        else:
            self._waiting[sha256] = Path(copy.name)
        return sha256, size

    @contextmanager
    def _new_copy(self) -> Iterator[BinaryIO]:
        """A file in the making; none is left of one that fails."""
        folder = self._root / "blobs"
        if not self._copies:
            folder.mkdir(exist_ok=True)
        self._copies += 1
        temporary = folder / f".{self._scratch}-{self._copies}"
        try:
            with temporary.open("wb") as copy:
                yield copy
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def publish(self) -> None:
        """Make the bytes durable and put them in place."""
        sync(self._waiting.values())
        for sha256, temporary in self._waiting.items():
            final = blob_path(self._root, sha256)
            shelf = final.parent
            if shelf not in self.shelves:
                shelf.mkdir(parents=True, exist_ok=True)
            replace_file(temporary, final)
            self._note(sha256, shelf, final.stat().st_ino)
        self._waiting.clear()

    def settle(self) -> None:
        """The chain of `shelves` was synced."""
        self._folders.settle_blobs(self._in_place)
        self._in_place, self.shelves = {}, set()

    def abandon(self) -> None:
        """Remove what is not in place."""
        for temporary in self._waiting.values():
            temporary.unlink(missing_ok=True)
        self._waiting.clear()


def stored_blob(root: Path, sha256: str, size: int | None, media_type: str | None) -> Blob:
    """A blob that was put before."""
    path = blob_path(root, sha256)
    return Blob(size, media_type, sha256, lambda: open_blob(path, sha256))


def _difference(blob: Blob, sha256: str, size: int, where: str) -> Loss | None:
    if blob.sha256 is not None and blob.sha256 != sha256:
        detail = f"the source states SHA-256 {blob.sha256}, its bytes have {sha256}"
        return Loss("blob-differs", Fate.DROPPED, where, detail=detail)
    if blob.size is not None and blob.size != size:
        detail = f"the source states {blob.size:,} bytes, {size:,} were there"
        return Loss("blob-differs", Fate.KEPT, where, detail=detail)
    return None
