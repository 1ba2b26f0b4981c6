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
class LogPosition:
    """Where reading one log stopped, and which files around it were given."""

    read: ReadPart = field(default_factory=ReadPart)
    group: Group | None = None
    files: dict[str, Tree] = field(default_factory=dict)

    def tree(self) -> Tree:
        """As a tree."""
        group: Tree = None if self.group is None else list(self.group)  # type: ignore[arg-type]
        return [self.read.offset, self.read.fingerprint, group, dict(self.files)]

    @classmethod
    def of(cls, tree: Any) -> LogPosition:
        """The inverse of `tree`."""
        offset, fingerprint, group, files = tree
        if group is not None:
            group = (group[0], group[1], group[2], list(group[3]))
        return cls(ReadPart(offset, fingerprint), group, dict(files))


@dataclass
class Position:
    """All that a cursor says."""

    logs: dict[str, LogPosition] = field(default_factory=dict)
    """By the name of the folder."""
    seq: int = 0
    facts: Facts = field(default_factory=Facts)
    files: dict[str, Tree] = field(default_factory=dict)
    """Of the older layouts: which files were given."""
    lines: dict[str, list[int]] = field(default_factory=dict)
    """Of the older layouts: how far each file was read, in bytes and in lines."""
    standing: StandingLosses = field(default_factory=StandingLosses)

    def tree(self) -> Tree:
        """As a tree."""
        return {
            "logs": {name: log.tree() for name, log in self.logs.items()},
            "seq": self.seq,
            "facts": self.facts.tree(),
            "files": dict(self.files),
            "lines": {name: list[Tree](at) for name, at in self.lines.items()},
            "standing": self.standing.tree(),
        }

    @classmethod
    def of(cls, position: Any) -> Position:
        """The inverse of `tree`. Raises SourceChanged for what this reader never said."""
        try:
            return cls(
                {name: LogPosition.of(log) for name, log in position["logs"].items()},
                position["seq"],
                Facts.of(position["facts"]),
                dict(position["files"]),
                {name: list(at) for name, at in position["lines"].items()},
                StandingLosses(position["standing"]),
            )
        except (TypeError, KeyError, ValueError, IndexError, AttributeError) as error:
            raise SourceChanged(
                "the cursor is not one of the swanlab reader",
                hint="pull the run into a new archive",
            ) from error
