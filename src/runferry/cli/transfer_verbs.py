"""Verbs that move runs, or foretell and check it: convert, pull, push, plan, verify."""

from __future__ import annotations

from typing import Annotated

import typer

from runferry.cli.app import app
from runferry.cli.options import Session, verb
from runferry.errors import ExitCode

Source = Annotated[str, typer.Argument(metavar="SRC", help="Where the runs are.")]
Destination = Annotated[str, typer.Argument(metavar="DST", help="Where they shall be.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would happen; send nothing.")]

_MOVING = ("workers", "allow", "timezone")


@verb(app, settings=["archive", *_MOVING], filters=True)
def convert(
    session: Session,
    source: Source,
    destination: Destination,
    dry_run: DryRun = False,
    discard: Annotated[
        bool, typer.Option("--discard", help="Empty the archive of what was verified.")
    ] = False,
) -> ExitCode:
    """Move runs from one tracker to another: pull, plan, push, verify."""
    from runferry import registry
    from runferry.cli.places import read_options
    from runferry.cli.places import source as located
    from runferry.cli.reports import show_conversion
    from runferry.transfer.convert import convert as transfer

    chosen = session.settings
    with session.working() as (observer, stop):
        report = transfer(
            located(source),
            registry.locate(destination, role="destination"),
            archive=chosen.archive,
            options=read_options(session),
            selection=session.selection,
            workers=chosen.workers,
            allow=chosen.allow,
            reserve_bytes=chosen.reserve_bytes,
            dry_run=dry_run,
            discard=discard,
            observer=observer,
            stop=stop,
        )
    return session.conclude(report, show_conversion)
