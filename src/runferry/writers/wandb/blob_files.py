"""The bytes of a run: below `files` for W&B, or beside it under their hash."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from runferry.dialects.plain_folder.names import Places
from runferry.dialects.wandb.own_files import BLOBS, FILES
from runferry.dialects.wandb.service_copy import COPY_FILE
from runferry.dialects.wandb.service_tables import CONSOLE_FILE, ROWS_FILE
from runferry.model import Blob

_WRITTEN_BY_SYNC: Final = (
    "config.yaml", "output.log", "wandb-metadata.json", "wandb-summary.json",
)  # fmt: skip
"""`wandb sync` makes these from the records, in place of what is there."""
_BESIDE: Final = "runferry/files"
"""Where the service gets those that it would make itself."""
_PIECE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class StoredFile:
    """Where bytes lie below the run's folder, and what W&B wants to know of them."""

    place: str
    sha256: str
    md5: str  # in base64
    size: int

    @property
    def below_files(self) -> str | None:
        """Its path for W&B; None where W&B gets it otherwise or not at all."""
        return self.place.removeprefix(f"{FILES}/") if self.place.startswith(f"{FILES}/") else None


class BlobFiles:
    """Stores the bytes of one run below its folder."""

    def __init__(self, home: Path, *, is_for_service: bool) -> None:
        self._home = home
        self._is_for_service = is_for_service
        self._places = Places()
        self._media: dict[tuple[str, str], str] = {}
        for name in (*_WRITTEN_BY_SYNC, COPY_FILE, ROWS_FILE, CONSOLE_FILE):
            self._places.place(name)

    def file(self, path: str, blob: Blob) -> StoredFile | None:
        """A file of the run; None where there are no bytes."""
        if blob.is_missing:
            return None
        draft = self._copied(blob)
        if path in _WRITTEN_BY_SYNC and not self._is_for_service:
            return self._put(draft, f"{BLOBS}/{draft.sha256}")
        if path in _WRITTEN_BY_SYNC:
            return self._put(draft, f"{FILES}/{self._places.place(f'{_BESIDE}/{path}')}")
        return self._put(draft, f"{FILES}/{self._places.place(path)}")

    def medium(self, wished: str, suffix: str, blob: Blob) -> StoredFile | None:
        """A medium: `wished` and the beginning of its hash, as W&B's clients call theirs."""
        if blob.is_missing:
            return None
        draft = self._copied(blob)
        known = self._media.get((wished, draft.sha256))
        if known is None:
            place = self._places.place(f"media/{wished}_{draft.sha256[:20]}{suffix}")
            known = self._media[wished, draft.sha256] = f"{FILES}/{place}"
        return self._put(draft, known)

    def said(self, path: str, content: bytes) -> StoredFile:
        """A file of ours among those of the run."""
        draft = self._copied(Blob.from_bytes(content))
        return self._put(draft, f"{FILES}/{path}")

    def other(self, blob: Blob) -> StoredFile | None:
        """Bytes that W&B finds no file of the run in, such as those of artifacts."""
        if blob.is_missing:
            return None
        draft = self._copied(blob)
        return self._put(draft, f"{BLOBS}/{draft.sha256}")

    def _copied(self, blob: Blob) -> StoredFile:
        """The bytes in a draft."""
        path = self._home / BLOBS / "draft.part"
        path.parent.mkdir(exist_ok=True)
        sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
        assert blob.open is not None
        with blob.open() as source, path.open("wb") as sink:
            while piece := source.read(_PIECE):
                sha256.update(piece)
                md5.update(piece)
                sink.write(piece)
                size += len(piece)
        digest = base64.b64encode(md5.digest()).decode("ascii")
        return StoredFile(f"{BLOBS}/draft.part", sha256.hexdigest(), digest, size)

    def _put(self, draft: StoredFile, place: str) -> StoredFile:
        target = self._home.joinpath(*place.split("/"))
        target.parent.mkdir(parents=True, exist_ok=True)
        (self._home / draft.place).replace(target)
        return StoredFile(place, draft.sha256, draft.md5, draft.size)
