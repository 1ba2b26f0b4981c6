"""Verbs that keep and question an archive: compact, vacuum, sql."""

from __future__ import annotations

from typing import Annotated

import typer

from runferry.cli.app import app
from runferry.cli.options import OptionalText, Session, verb

Folder = Annotated[
    OptionalText, typer.Argument(metavar="[ARCHIVE]", help="An archive. [default: ./.runferry]")
]


@verb(app, settings=["archive"])
def compact(session: Session, folder: Folder = None) -> None:
    """Merge the many segments of grown runs into few."""
    from runferry.cli.grid import count
    from runferry.cli.places import own_archive

    archive = own_archive(session, folder)
    merged = 0
    before = after = 0
    for record in archive.records():
        compacted = archive.compact(record)
        before += len(record.segments)
        after += len(compacted.segments)
        merged += compacted.generation != record.generation
    if session.is_json:
        figures = {"compacted_runs": merged, "segments_before": before, "segments_after": after}
        session.print_json({"schema": 1, "archive": str(archive.path), **figures})
    else:
        runs = count(merged, "run")
        session.out.print(f"{runs} compacted: {count(before, 'segment')} became {after:,}")


@verb(app, settings=["archive"])
def vacuum(
    session: Session,
    folder: Folder = None,
    grace: Annotated[
        float, typer.Option("--grace", metavar="SECONDS", help="Leave what is younger.")
    ] = 3600.0,
) -> None:
    """Remove files of an archive that nothing refers to."""
    from runferry.cli.grid import count, size
    from runferry.cli.places import own_archive

    archive = own_archive(session, folder)
    vacuumed = archive.vacuum(grace_seconds=grace)
    if session.is_json:
        figures = {"files": vacuumed.files, "size_bytes": vacuumed.size}
        session.print_json({"schema": 1, "archive": str(archive.path), **figures})
    else:
        session.out.print(f"{count(vacuumed.files, 'file')} removed, {size(vacuumed.size)} freed")


@verb(app)
def sql(
    session: Session,
    folder: Annotated[str, typer.Argument(metavar="ARCHIVE", help="An archive.")],
    query: Annotated[str, typer.Argument(metavar="QUERY", help="SQL as DuckDB speaks it.")],
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, help="Rows shown; --json has all.")
    ] = 1000,
) -> None:
    """Ask an archive in SQL."""
    from runferry.cli.asking import answered, print_answer_json, show_answer
    from runferry.cli.places import own_archive

    with answered(own_archive(session, folder), query) as answer:
        if session.is_json:
            print_answer_json(session, answer)
        else:
            show_answer(session, answer, limit)
