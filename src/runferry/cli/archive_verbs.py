"""Verbs that keep and question an archive: compact, vacuum, upgrade, sql."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from runferry.cli.app import app
from runferry.cli.options import OptionalText, Session, verb
from runferry.errors import ExitCode

if TYPE_CHECKING:
    from runferry.archive.store import DamagedRun
    from runferry.archive.upgrade import Upgraded
    from runferry.model import Run

Folder = Annotated[
    OptionalText, typer.Argument(metavar="ARCHIVE", help="An archive. [default: ./.runferry]")
]


@verb(app, settings=["archive"])
def compact(session: Session, folder: Folder = None) -> ExitCode:
    """Merge the many segments of grown runs into few."""
    from runferry.cli.grid import count
    from runferry.cli.places import own_archive

    archive = own_archive(session, folder)
    merged = 0
    before = after = 0
    damaged: list[DamagedRun] = []
    for record in archive.records(damaged):
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
    return _complain_of(session, damaged)


def _complain_of(session: Session, damaged: Iterable[DamagedRun]) -> ExitCode:
    """Name the runs of an archive that cannot be read."""
    code = ExitCode.DONE
    for run in damaged:
        session.complain(run.error.what, run.error.where, run.error.hint)
        code = ExitCode.SOME_FAILED
    return code


@verb(app, settings=["archive"])
def vacuum(
    session: Session,
    folder: Folder = None,
    grace: Annotated[
        float, typer.Option("--grace", metavar="SECONDS", help="Leave what is younger.")
    ] = 3600.0,
) -> ExitCode:
    """Remove files of an archive that nothing refers to."""
    from runferry.cli.grid import count
    from runferry.cli.places import own_archive
    from runferry.transfer.figures import size

    archive = own_archive(session, folder)
    vacuumed = archive.vacuum(grace_seconds=grace)
    if session.is_json:
        figures = {"files": vacuumed.files, "size_bytes": vacuumed.size}
        session.print_json({"schema": 1, "archive": str(archive.path), **figures})
    else:
        session.out.print(f"{count(vacuumed.files, 'file')} removed, {size(vacuumed.size)} freed")
    if vacuumed.busy:
        session.note(f"blobs were left alone: {count(vacuumed.busy, 'run')} being written")
    if not vacuumed.damaged:
        return ExitCode.DONE
    damaged: list[DamagedRun] = []
    list(archive.records(damaged))
    return _complain_of(session, damaged)


@verb(app, settings=["archive"])
def upgrade(session: Session, folder: Folder = None) -> ExitCode:
    """Bring an archive of an earlier format to the one of today."""
    from runferry.archive.store import Archive
    from runferry.archive.upgrade import upgrade as bring
    from runferry.cli.places import own_folder
    from runferry.transfer.report import RunOutcome

    path = own_folder(session, folder)
    with session.working() as (observer, stop):

        def watch(run: Run, rows: int) -> bool:
            observer.ended("upgrade", RunOutcome.of(run, "upgraded", rows=rows))
            return not stop.is_set

        observer.phase("upgrade", sum(1 for _ in Archive(path).uids()))
        upgraded = bring(path, watch)
    code = ExitCode.SOME_FAILED if upgraded.damaged else ExitCode.DONE
    if upgraded.is_interrupted:
        code = ExitCode.INTERRUPTED
    if session.is_json:
        versions = {"version_before": upgraded.before, "version": upgraded.version}
        figures = {"upgraded_runs": upgraded.runs, "interrupted": upgraded.is_interrupted}
        document = {"schema": 1, "archive": str(path), "exit_code": int(code)}
        session.print_json({**document, **versions, **figures})
    elif said := _said_of(upgraded):
        session.out.print(said)
    if upgraded.is_interrupted:
        session.complain("interrupted", hint="the same command again continues where it stopped")
        return code
    _complain_of(session, upgraded.damaged)
    return code


def _said_of(upgraded: Upgraded) -> str | None:
    """What became of the version; None where only the runs that are damaged are to be told."""
    from runferry.archive.layout import FORMAT_VERSION
    from runferry.cli.grid import count

    runs, version = count(upgraded.runs, "run"), upgraded.version
    if upgraded.is_interrupted and version < FORMAT_VERSION:
        return f"still version {version}: {runs} ready"
    if version != upgraded.before:
        return f"version {upgraded.before} became {version}: {runs} upgraded"
    if upgraded.runs:
        return f"version {version}: {runs} upgraded that had been left"
    return None if upgraded.damaged else f"version {version}: nothing to upgrade"


@verb(app)
def sql(
    session: Session,
    folder: Annotated[str, typer.Argument(metavar="ARCHIVE", help="An archive.")],
    query: Annotated[str, typer.Argument(metavar="QUERY", help="SQL as DuckDB speaks it.")],
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, help="Rows shown; --json has all.")
    ] = 1000,
) -> ExitCode:
    """Ask an archive in SQL."""
    from runferry.cli.asking import answered, print_answer_json, show_answer
    from runferry.cli.places import own_archive

    with answered(own_archive(session, folder), query) as answer:
        if session.is_json:
            print_answer_json(session, answer)
        else:
            show_answer(session, answer, limit)
        for uid, what in answer.damaged:
            session.complain(what, uid)
        return ExitCode.SOME_FAILED if answer.damaged else ExitCode.DONE
