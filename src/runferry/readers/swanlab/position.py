"""Where reading a run stopped: the words of a cursor."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from runferry.errors import SourceChanged
from runferry.model import Tree
from runferry.readers.read_part import ReadPart
from runferry.readers.standing_losses import StandingLosses
from runferry.readers.swanlab.facts import Facts

Group = tuple[int, int | None, int, list[str]]


@dataclass
class Position:
    """All that a cursor says."""

    log: ReadPart = field(default_factory=ReadPart)
    seq: int = 0
    group: Group | None = None
    facts: Facts = field(default_factory=Facts)
    files: dict[str, Tree] = field(default_factory=dict)
    lines: dict[str, list[int]] = field(default_factory=dict)
    """Of the older layouts: how far each file was read, in bytes and in lines."""
    standing: StandingLosses = field(default_factory=StandingLosses)

    def tree(self) -> Tree:
        """As a tree."""
        return {
            "log": [self.log.offset, self.log.fingerprint],
            "seq": self.seq,
            "group": None if self.group is None else list(self.group),  # type: ignore[arg-type]
            "facts": self.facts.tree(),
            "files": dict(self.files),
            "lines": {name: list[Tree](at) for name, at in self.lines.items()},
            "standing": self.standing.tree(),
        }

    @classmethod
    def of(cls, position: Any) -> Position:
        """The inverse of `tree`. Raises SourceChanged for what this reader never said."""
        try:
            group = position["group"]
            return cls(
                ReadPart(*position["log"]),
                position["seq"],
                None if group is None else (group[0], group[1], group[2], list(group[3])),
                Facts.of(position["facts"]),
                dict(position["files"]),
                {name: list(at) for name, at in position["lines"].items()},
                StandingLosses(position["standing"]),
            )
        except (TypeError, KeyError, ValueError, IndexError) as error:
            raise SourceChanged(
                "the cursor is not one of the swanlab reader",
                hint="pull the run into a new archive",
            ) from error
