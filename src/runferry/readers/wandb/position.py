"""How far a run was read: what a cursor carries, and whether it still fits what lies there."""

from __future__ import annotations

from dataclasses import dataclass, field

from runferry.errors import SourceChanged
from runferry.model import Tree
from runferry.readers.read_part import ReadPart


@dataclass
class SegmentPosition(ReadPart):
    """How far one file of a run was read."""

    origin: int = -1
    shift: int | None = None
    lines: int = 0
    events_offset: int = 0
    events_lines: int = 0
    log_offset: int = 0
    has_console: bool = False  # records gave lines, so the log need not


@dataclass
class Position:
    """All that a later read needs; plain data on both ends."""

    segments: list[SegmentPosition] = field(default_factory=list)
    seq: int = 0
    last_step: int | None = None
    facts: dict[str, Tree] = field(default_factory=dict)
    definitions: Tree = None
    files: dict[str, Tree] = field(default_factory=dict)
    media: dict[str, Tree] = field(default_factory=dict)  # see `RowMedia`
    attributes: dict[str, Tree] = field(default_factory=dict)
    sweeps: dict[str, Tree] = field(default_factory=dict)  # stamps of what they chose for it
    log_lines: int = 0
    own: dict[str, Tree] = field(default_factory=dict)
    standing: list[Tree] = field(default_factory=list)  # losses, see `StandingLosses`

    def tree(self) -> dict[str, Tree]:
        """As a checkpoint's position."""
        return {
            **vars(self),
            "segments": [dict(vars(segment)) for segment in self.segments],
        }

    @classmethod
    def restored(cls, tree: Tree) -> Position:
        """The inverse of `tree`. Raises SourceChanged for a position of another making."""
        try:
            if not isinstance(tree, dict):
                raise TypeError("no mapping")
            fields = dict(tree)
            segments = fields.pop("segments")
            if not isinstance(segments, list):
                raise TypeError("no list")
            return cls([SegmentPosition(**part) for part in segments], **fields)  # type: ignore[arg-type]
        except (TypeError, KeyError) as error:
            raise SourceChanged(
                "the cursor is not one of the W&B files reader",
                hint="pull the run into a new archive",
            ) from error
