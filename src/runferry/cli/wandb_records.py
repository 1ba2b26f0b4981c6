"""`records`: how many records of each type a `.wandb` file holds, and what of it is damaged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runferry.cli.grid import Column, show
from runferry.cli.session import Session
from runferry.errors import NotFound, RunferryError

if TYPE_CHECKING:
    from runferry.dialects.wandb_database import WandbDatabase


def read_records(path: str) -> WandbDatabase:
    """Raises NotFound, Damaged, UnknownVersion."""
    from runferry.dialects.wandb_database import load_wandb_database

    try:
        return load_wandb_database(path)
    except FileNotFoundError as error:
        raise NotFound("no such file", where=path, hint="runferry records run.wandb") from error
    except OSError as error:
        raise RunferryError(f"the file cannot be read: {error.strerror}", where=path) from error


def records_json(found: WandbDatabase) -> dict[str, Any]:
    """As in the documented schema."""
    damage = [
        {"offset": piece.offset, "size_bytes": piece.length, "reason": piece.reason}
        for piece in found.damage
    ]
    return {"records": found.counts(), "damage": damage}


def show_records(session: Session, found: WandbDatabase) -> None:
    """The table, zeros included, and what is damaged below it."""
    by_type = [(kind, f"{number:,}") for kind, number in found.counts().items()]
    show(session.out, (Column("record"), Column("count", "right")), by_type, session.ellipsis)
    if found.damage:
        session.out.print("\ndamaged:")
        columns = (Column("offset", "right"), Column("bytes", "right"), Column("reason"))
        pieces = [(f"{d.offset:,}", f"{d.length:,}", d.reason) for d in found.damage]
        show(session.out, columns, pieces, session.ellipsis)
