"""`records`: how many records of each type a `.wandb` file holds, and what of it is damaged."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from runferry.cli.grid import Column, show
from runferry.cli.session import Session
from runferry.errors import NotFound, RunferryError

if TYPE_CHECKING:
    from runferry.dialects.wandb_database import WandbDatabase


def read_records(path: str) -> WandbDatabase:
    """Of a file, or of the only one in a folder. Raises NotFound, Damaged, UnknownVersion."""
    from runferry.dialects.wandb_database import load_wandb_database

    try:
        return load_wandb_database(_only_database(path) if Path(path).is_dir() else path)
    except FileNotFoundError as error:
        raise NotFound("no such file", where=path, hint="runferry records run.wandb") from error
    except OSError as error:
        why = error.strerror or str(error)
        raise RunferryError(f"the file cannot be read: {why}", where=path) from error


def _only_database(folder: str) -> str:
    found = sorted(path for path in Path(folder).glob("*.wandb") if path.is_file())
    if len(found) == 1:
        return str(found[0])
    if not found:
        hint = f"name a run's own folder, or a .wandb file; runferry ls 'wandb:{folder}'"
        raise NotFound("a folder without a .wandb file", where=folder, hint=hint)
    hint = f"runferry records '{found[0]}'"
    raise NotFound(f"{len(found):,} .wandb files are in this folder", where=folder, hint=hint)


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
