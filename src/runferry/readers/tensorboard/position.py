"""How far a run was read: what a cursor carries, and whether it still fits what lies there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

from runferry.errors import SourceChanged
from runferry.model import Tree
from runferry.readers.read_part import ReadPart

ROWS_A_FILE = 1 << 40
"""Each file numbers its rows from a multiple of this, so that several can grow."""
BESIDE_OURS = 1 << 20
"""Files that others added to a run of ours count from here: its rows may be from many files too."""


@dataclass
class FilePosition(ReadPart):
    """How far one event file was read. `slot` is its place among the files of the run."""

    slot: int = 0
    seq: int = -1  # of the next row; -1: not begun
    plugins: dict[str, str] = field(default_factory=dict)  # by tag: only first values tell them
    is_own: bool = False  # runferry wrote it
    is_read: bool = False  # it had records besides those that say what it is


@dataclass
class Position:
    """All that a later read needs; plain data on both ends."""

    files: dict[str, FilePosition] = field(default_factory=dict)  # by label
    statements: dict[str, Tree] = field(default_factory=dict)  # by label
    given: str = ""  # the digest of the attributes that were given last
    own: dict[str, Tree] = field(default_factory=dict)
    things: dict[str, Tree] = field(default_factory=dict)  # of ours: name → digest
    losses: dict[str, list[int]] = field(default_factory=dict)  # of ours, see `Latest`
    side_files: dict[str, Tree] = field(default_factory=dict)  # name → [size, time]
    documents: dict[str, Tree] = field(default_factory=dict)  # name → digest of its body
    standing: list[Tree] = field(default_factory=list)  # losses, see `StandingLosses`

    def file(self, label: str) -> FilePosition:
        """Where reading of this file stands; a new one comes behind all that are known."""
        if label not in self.files:
            taken = (one.slot for one in self.files.values())
            self.files[label] = FilePosition(slot=max(taken, default=-1) + 1)
        return self.files[label]

    def tree(self) -> dict[str, Tree]:
        """As a checkpoint's position."""
        files: dict[str, Tree] = {label: dict(vars(one)) for label, one in self.files.items()}
        return {**vars(self), "files": files}

    @classmethod
    def restored(cls, tree: Tree) -> Self:
        """The inverse of `tree`. Raises SourceChanged for a position of another making."""
        try:
            if not isinstance(tree, dict):
                raise TypeError("no mapping")
            fields = dict(tree)
            files = fields.pop("files")
            if not isinstance(files, dict):
                raise TypeError("no mapping")
            known = {label: FilePosition(**part) for label, part in files.items()}  # type: ignore[arg-type]
            return cls(known, **fields)  # type: ignore[arg-type]
        except (TypeError, KeyError) as error:
            raise SourceChanged(
                "the cursor is not one of the TensorBoard reader",
                hint="pull the run into a new archive",
            ) from error
