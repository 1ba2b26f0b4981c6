"""How far a run of the service was read: what a cursor carries, and whether it still fits."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Final

from runferry.errors import SourceChanged
from runferry.model import Tree

_FORM: Final = 2


@dataclass
class Position:
    """All that a later read needs; plain data on both ends."""

    form: int = _FORM
    storage_id: str = ""  # the service's own id: a run that was deleted and made anew has another
    rows: int = 0  # of the history
    last_step: int | None = None
    last_row: str = ""  # its digest: it is asked for again, and must still be the same
    is_short: bool = False  # the service gave less than it states: to be read from the beginning
    counts: dict[str, Tree] = field(default_factory=dict)  # values of each name, as it counts them
    events: int = 0
    log_lines: int = 0
    own_lines: int = 0  # of a copy of ours, from the table beside it
    log_cursor: str | None = None  # of the page in which the next line stands
    files: dict[str, Tree] = field(default_factory=dict)  # name → what tells it from a later one
    media: dict[str, Tree] = field(default_factory=dict)  # see `RowMedia`
    metadata: Tree = None  # of wandb-metadata.json
    artifacts: dict[str, Tree] = field(default_factory=dict)  # relation and id → a digest
    sweep: str = ""  # the one whose definition was given
    attributes: str = ""  # the digest of those that were given last
    standing: list[Tree] = field(default_factory=list)  # losses, see `StandingLosses`

    def tree(self) -> dict[str, Tree]:
        """As a checkpoint's position."""
        return dict(vars(self))

    @classmethod
    def restored(cls, tree: Tree) -> Position:
        """The inverse of `tree`. Raises SourceChanged for a position of another making."""
        known = {each.name: each for each in fields(cls)}
        if not isinstance(tree, dict) or tree.keys() != known.keys() or tree["form"] != _FORM:
            raise SourceChanged(
                "the cursor is not one of the reader of the W&B service",
                hint="pull the run into a new archive",
            )
        values: dict[str, Any] = {
            name: value.copy() if isinstance(value, (dict, list)) else value
            for name, value in tree.items()
        }
        return cls(**values)
