"""Names from the data as names of files: readable, safe on any system, unique whatever the case."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from itertools import count
from typing import Final

_UNSAFE: Final = re.compile(r"[^\w .\-()+,@=#]")
_DEVICE: Final = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_SUFFIX: Final = re.compile(r"\.[A-Za-z0-9]{1,10}")
_MAX_PART: Final = 80  # bytes; Windows counts 260 characters for a whole path
_MAX_PATH: Final = 160


def safe_part(name: str, longest: int = _MAX_PART) -> str:
    """One part of a path: like the name, but not always different for different names."""
    tame = _UNSAFE.sub("_", unicodedata.normalize("NFC", name))
    tame = _cut(tame, longest).rstrip(". ").lstrip(" ")
    if tame.startswith("."):  # hidden, or a way up
        tame = f"_{tame[1:]}"
    if not tame or _DEVICE.fullmatch(tame):
        tame = f"_{tame}"
    return tame


def safe_suffix(name: str) -> str:
    """The ending that says what a file is; empty where a name has none."""
    dot = name.rfind(".")
    found = _SUFFIX.fullmatch(name[dot:]) if dot > 0 else None
    return found[0] if found else ""


def mark(name: str) -> str:
    """Eight hex digits that tell a name from others like it."""
    return hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()


def _cut(name: str, longest: int) -> str:
    return name.encode("utf-8", "replace")[:longest].decode("utf-8", "ignore")


def _folded(place: str) -> str:
    """What a disk may take for the same name."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", place).casefold())


class Places:
    """Gives each path of the data a place of its own below one folder.

    A path that is safe is its own place. Others, and those that would meet another (by case, or as
    a file where a folder is), get a name like theirs with a mark. Holds the places that it gave.
    """

    def __init__(self) -> None:
        self._files: set[str] = set()
        self._folders: set[str] = set()

    def place(self, path: str) -> str:
        """A relative path with `/`; another one on each call."""
        wished = "/".join(safe_part(part) for part in path.split("/"))
        if wished != path or len(wished.encode()) > _MAX_PATH:
            wished = self._marked(path, wished)
        for copy in count(1):
            if self._is_free(wished):
                break
            wished = self._marked(path if copy == 1 else f"{path}\0{copy}", wished)
        folded = _folded(wished)
        self._files.add(folded)
        self._folders.update(_above(folded))
        return wished

    def _marked(self, path: str, wished: str) -> str:
        """Beside all folders: nothing can stand in its way there but another of its kind."""
        leaf = wished.rsplit("/", 1)[-1]
        suffix = safe_suffix(leaf)
        stem = safe_part(leaf.removesuffix(suffix).partition("~")[0], 40)
        return f"{stem}~{mark(path)}{suffix}"

    def _is_free(self, place: str) -> bool:
        folded = _folded(place)
        return (
            folded not in self._files
            and folded not in self._folders
            and not any(above in self._files for above in _above(folded))
        )


def _above(place: str) -> list[str]:
    parts = place.split("/")
    return ["/".join(parts[:length]) for length in range(1, len(parts))]
