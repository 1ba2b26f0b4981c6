"""The folders of one archive, and which of their names are known to last.

A folder lasts once the folder it stands in was synced after it was made. Who made it does not
matter: it may have been a process that was killed before it synced anything, or one that has not
come to it yet. So whoever commits syncs the whole chain up to the archive itself, and remembers
what need not be synced again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import takewhile
from pathlib import Path

from runferry.durable import sync

_REMEMBERED = 65_536


class Folders:
    """What this process has synced of one archive. May be shared between threads."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._passing = {root / "data", root / "staging"}
        self._lasting: set[Path] = set()
        self._blobs: dict[str, int] = {}

    def chain(self, leaves: Iterable[Path]) -> set[Path]:
        """What must be synced for the names in these folders to last, up to the archive's own."""
        needed = set()
        for leaf in leaves:
            needed.add(leaf)
            for folder in self._not_lasting(leaf):
                if self._is_ours_to_sync(folder.parent):
                    needed.add(folder.parent)
        return needed

    def settle(self, leaves: Iterable[Path]) -> None:
        """The chain of these folders was synced. The folders of single runs come and go."""
        for leaf in leaves:
            below_top = reversed(self._not_lasting(leaf))
            self._lasting.update(takewhile(lambda f: f.parent not in self._passing, below_top))

    def sync(self, leaves: Iterable[Path]) -> None:
        """Make the names in these folders last."""
        leaves = set(leaves)
        sync(self.chain(leaves))
        self.settle(leaves)

    def _not_lasting(self, leaf: Path) -> list[Path]:
        """It and the folders above it, up to one that lasts: those above that one do so too."""
        found: list[Path] = []
        folder = leaf
        while folder not in self._lasting:
            found.append(folder)
            if folder in (self.root, folder.parent):
                break
            folder = folder.parent
        return found

    def _is_ours_to_sync(self, folder: Path) -> bool:
        # the one above the archive may be closed to us: then it was not we who made the archive
        return folder.is_relative_to(self.root) or os.access(folder, os.R_OK)

    # --- blobs ------------------------------------------------------------------------------------

    def is_lasting_blob(self, sha256: str, inode: int) -> bool:
        """Whether this very file was in its folder when that was synced."""
        return self._blobs.get(sha256) == inode

    def settle_blobs(self, inodes: dict[str, int]) -> None:
        """The shelves of these blobs were synced."""
        if len(self._blobs) + len(inodes) > _REMEMBERED:
            self._blobs = {}
        self._blobs |= inodes
