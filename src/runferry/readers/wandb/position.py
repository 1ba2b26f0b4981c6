"""How far a run was read: what a cursor carries, and whether it still fits what lies there."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from runferry.errors import SourceChanged
from runferry.losses import Loss
from runferry.model import Tree
from runferry.paths import fingerprint


@dataclass
class SegmentPosition:
    """How far one file of a run was read."""

    offset: int = 0
    origin: int = -1
    shift: int | None = None
    lines: int = 0
    events_offset: int = 0
    events_lines: int = 0
    log_offset: int = 0
    has_console: bool = False  # records gave lines, so the log need not
    fingerprint: str = ""
    reported: list[str] = field(default_factory=list)  # damage behind `offset`, met on every read

    def check(self, content: Path) -> None:
        """Raises SourceChanged unless the file still begins with what was read."""
        if self.fingerprint and fingerprint(content, self.offset) != self.fingerprint:
            raise SourceChanged(
                "what was read before is no longer the beginning of this file",
                where=str(content),
                hint="pull it into a new archive, or restore the file",
            )

    def sign(self, content: Path) -> None:
        """Note what the file looks like up to `offset`."""
        self.fingerprint = fingerprint(content, self.offset)


@dataclass
class Position:
    """All that a later read needs; plain data on both ends."""

    segments: list[SegmentPosition] = field(default_factory=list)
    seq: int = 0
    last_step: int | None = None
    facts: dict[str, Tree] = field(default_factory=dict)
    definitions: Tree = None
    files: dict[str, Tree] = field(default_factory=dict)
    media_until: dict[str, Tree] = field(default_factory=dict)
    unclaimed: list[Tree] = field(default_factory=list)
    attributes: dict[str, Tree] = field(default_factory=dict)
    sweeps: dict[str, Tree] = field(default_factory=dict)  # stamps of what they chose for it
    log_lines: int = 0
    own: dict[str, Tree] = field(default_factory=dict)
    reported: list[Tree] = field(default_factory=list)  # losses that every read meets again

    def is_news(self, loss: Loss) -> bool:
        """Whether this is the first time that it is met; later it is known."""
        met: list[Tree] = [loss.code, loss.where, loss.detail]
        if met in self.reported:
            return False
        self.reported.append(met)
        return True

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
