"""Which files of a run belong to its rows: what a row names is no file of its own, ever.

Rows and files come in any order, over any number of reads: a client writes a file before the row,
a folder that is copied may have the row before the file.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable
from dataclasses import InitVar, dataclass, field
from typing import Any, Final

import numpy as np

from runferry.errors import SourceChanged
from runferry.model import MediaItem, Tree
from runferry.readers.wandb.media import places_of

MEDIA: Final = "media/"
"""Where the files of rows lie, below `files/`."""
_PACKED: Final = np.dtype(">u8")
_AGAIN: Final = "pull it anew"
_Hashes = np.ndarray[Any, np.dtype[np.uint64]]


@dataclass
class RowMedia:
    """What rows have named so far, over all reads: 8 bytes a name, so a million cost little."""

    claimed: InitVar[bytes] = b""  # hashes of the names, sorted
    awaited: InitVar[bytes] = b""  # hashes of folder and name, of those whose bytes were not there
    given: InitVar[bytes] = b""  # hashes of names that were given as files, as no row was to come
    listed: list[Tree] = field(default_factory=list)  # names without bytes, whose row may come

    def __post_init__(self, claimed: bytes, awaited: bytes, given: bytes) -> None:
        self._given = set[int](_hashes(given).tolist())
        self._claimed, self._awaited = _hashes(claimed), _hashes(awaited)
        self._claimed_now, self._awaited_now = array("Q"), array("Q")
        self._all_claimed: _Hashes | None = None

    @property
    def is_awaiting(self) -> bool:
        """Whether an earlier read gave a row without the bytes of its medium."""
        return len(self._awaited) > 0

    def claim(self, items: Iterable[MediaItem], folder: str | None) -> None:
        """These belong to rows; their bytes are looked for in this folder, once it is there.

        Without a folder only the names are claimed: whose bytes are missing is not known yet.
        Raises SourceChanged when one was given as a file, because its row was not there yet.
        """
        for item in items:
            path = item.path
            if path is None:
                continue
            is_whole = path.startswith(MEDIA)
            for name in (path,) if is_whole else places_of(path, item.media_type):
                hashed = _short_hash(name)
                if hashed in self._given:
                    what = "the row of a file came after the file"
                    raise SourceChanged(what, where=name, hint=_AGAIN)
                self._claimed_now.append(hashed)
                if item.blob.is_missing and folder is not None:
                    self._awaited_now.append(_short_hash(f"{folder}/{name}"))
        self._all_claimed = None

    def is_claimed(self, name: str) -> bool:
        """Whether a row has named it, in whichever read."""
        if self._all_claimed is None:
            self._all_claimed = _united(self._claimed, self._claimed_now)
        return _holds(self._all_claimed, _short_hash(name))

    def is_given(self, name: str) -> bool:
        """Whether it was given as a file."""
        return _short_hash(name) in self._given

    def give(self, name: str) -> None:
        """It is given as a file."""
        self._given.add(_short_hash(name))

    def check(self, folder: str, name: str) -> None:
        """Bytes are there. Raises SourceChanged where an earlier read gave their row without."""
        if _holds(self._awaited, _short_hash(f"{folder}/{name}")):
            what = "the bytes of a medium came after its row"
            raise SourceChanged(what, where=name, hint=_AGAIN)

    def position(self) -> dict[str, Tree]:
        """What a later read needs: the arguments of this class."""
        return {
            "claimed": _packed(_united(self._claimed, self._claimed_now)),
            "awaited": _packed(_united(self._awaited, self._awaited_now)),
            "given": _packed(np.array(sorted(self._given), np.uint64)),
            "listed": list(self.listed),
        }


def _hashes(packed: bytes) -> _Hashes:
    """In the order of bytes of this machine: in another one each look-up would convert them all."""
    return np.frombuffer(packed, _PACKED).astype(np.uint64)


def _packed(hashes: _Hashes) -> bytes:
    return hashes.astype(_PACKED).tobytes()


def _united(known: _Hashes, new: array[int]) -> _Hashes:
    return np.union1d(known, np.array(new, np.uint64))


def _short_hash(name: str) -> int:
    spelled = name.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(spelled, digest_size=8).digest())


def _holds(ordered: _Hashes, value: int) -> bool:
    at = int(np.searchsorted(ordered, np.uint64(value)))
    return at < len(ordered) and int(ordered[at]) == value
