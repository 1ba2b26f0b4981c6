"""`records`: how many records of each type a `.wandb` file holds, and what of it is damaged."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runferry.cli.grid import Column, show
from runferry.cli.session import Session
from runferry.errors import NotFound, RunferryError


@dataclass(frozen=True, slots=True)
class RecordCounts:
    """Records by type, and (offset, length, reason) of what could not be read."""

    counts: dict[str, int]
    damage: tuple[tuple[int, int, str], ...]

    def to_json(self) -> dict[str, Any]:
        """As in the documented schema."""
        damage = [
            {"offset": offset, "size_bytes": length, "reason": reason}
            for offset, length, reason in self.damage
        ]
        return {"records": self.counts, "damage": damage}


def count_records(path: str) -> RecordCounts:
    """Raises NotFound, Damaged, UnknownVersion."""
    from runferry import _native

    damage: list[tuple[int, int, str]] = []
    try:
        records = _native.wandb_records(Path(path).expanduser(), damage=damage)
    except FileNotFoundError as error:
        raise NotFound("no such file", where=path, hint="runferry records run.wandb") from error
    except OSError as error:
        raise RunferryError(f"the file cannot be read: {error.strerror}", where=path) from error
    counts = {kind: len(messages) for kind, messages in records.items()}
    return RecordCounts(counts, tuple(damage))


def show_counts(session: Session, found: RecordCounts) -> None:
    """The table, and what is damaged below it."""
    by_type = [(kind, f"{number:,}") for kind, number in found.counts.items()]
    show(session.out, (Column("record"), Column("count", "right")), by_type, session.ellipsis)
    if found.damage:
        session.out.print("\ndamaged:")
        columns = (Column("offset", "right"), Column("bytes", "right"), Column("reason"))
        pieces = [(f"{at:,}", f"{size:,}", why) for at, size, why in found.damage]
        show(session.out, columns, pieces, session.ellipsis)
