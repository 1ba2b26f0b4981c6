"""Verbs that move runs, or foretell and check it: convert, pull, push, plan, verify."""

from __future__ import annotations

from typing import Annotated

import typer

from runferry.cli.app import app
from runferry.cli.options import OptionalText, Session, destinations, sources, verb
from runferry.errors import ExitCode

Source = Annotated[
    str, typer.Argument(metavar="SRC", help="Where the runs are.", autocompletion=sources)
]
Destination = Annotated[
    str, typer.Argument(metavar="DST", help="Where they shall be.", autocompletion=destinations)
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would happen; send nothing.")]

Restart = Annotated[
    bool, typer.Option("--restart", help="Send all in full, in place of what is there.")
]

ReportPage = Annotated[
    OptionalText,
    typer.Option("--report", metavar="FILE", help="Tell of it on a page too, an .html file."),
]

_MOVING = ("workers", "rate", "allow", "timezone")


@verb(app, settings=["archive", *_MOVING], filters=True, reads=True, sends=True)
def convert(
    session: Session,
    source: Source,
    destination: Destination,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Pull into the archive and say what would be lost; send nothing."
        ),
    ] = False,
    discard: Annotated[
        bool, typer.Option("--discard", help="Empty the archive of what was verified.")
    ] = False,
    restart: Restart = False,
    page: ReportPage = None,
) -> ExitCode:
    """Move runs between trackers: pull, plan, push, verify."""
    from runferry.cli.migrating import migrating
    from runferry.cli.paging import AskedPage, Stopwatch
    from runferry.cli.places import destined, filled, hub, located, read_options
    from runferry.cli.reports import show_conversion
    from runferry.transfer.convert import ConvertOptions
    from runferry.transfer.convert import convert as transfer
    from runferry.transfer.patience import Patience

    asked = AskedPage(session, page)
    with migrating(session, source, destination, is_dry=dry_run) as (start, end):
        origin, goal = located(start), destined(end)
        chosen = session.settings
        options = ConvertOptions(
            read=read_options(session),
            selection=session.selection,
            workers=chosen.workers,
            allow=chosen.allow,
            dry_run=dry_run,
            discards=discard,
            restart=restart,
            reserve_bytes=chosen.reserve_bytes,
            patience=Patience(chosen.patience),
        )
        archive = hub(session, origin, goal)
        with filled(archive), session.working() as (observer, stop):
            watch = Stopwatch(observer)
            report = transfer(origin, goal, archive, options, observer=watch, stop=stop)
            asked.write(report, watch, archive, goal, stop)
        return asked.ending(session.conclude(report, show_conversion, is_asked=dry_run))


@verb(app, settings=["archive", *_MOVING], filters=True, reads=True)
def pull(
    session: Session,
    source: Source,
    folder: Annotated[
        OptionalText,
        typer.Argument(metavar="ARCHIVE", help="The archive. [default: ./.runferry]"),
    ] = None,
) -> ExitCode:
    """Bring runs into an archive."""
    from runferry.cli.places import filled, located, new_archive, read_options
    from runferry.cli.reports import show_report
    from runferry.transfer.pull import pull as transfer

    place = located(source)
    with filled(new_archive(session, folder)) as archive, session.working() as (observer, stop):
        report = transfer(
            place,
            archive,
            options=read_options(session),
            selection=session.selection,
            workers=session.settings.workers,
            allow=session.settings.allow,
            reserve_bytes=session.settings.reserve_bytes,
            observer=observer,
            stop=stop,
        )
    return session.conclude(report, show_report)


@verb(app, settings=["workers", "rate", "allow"], filters=True, sends=True)
def push(
    session: Session,
    folder: Annotated[str, typer.Argument(metavar="ARCHIVE", help="An archive.")],
    destination: Destination,
    dry_run: DryRun = False,
    restart: Restart = False,
    page: ReportPage = None,
) -> ExitCode:
    """Send the runs of an archive to a tracker."""
    from runferry.cli.paging import AskedPage, Stopwatch
    from runferry.cli.places import destined, own_archive
    from runferry.cli.reports import show_plan, show_report
    from runferry.transfer.patience import Patience
    from runferry.transfer.push import plan_all
    from runferry.transfer.push import push as transfer

    asked, place = AskedPage(session, page), destined(destination)
    archive, chosen = own_archive(session, folder), session.settings
    with session.working() as (observer, stop):
        watch = Stopwatch(observer)
        if dry_run:
            report = plan_all(
                archive,
                place,
                selection=session.selection,
                allow=chosen.allow,
                observer=watch,
                stop=stop,
            )
        else:
            report = transfer(
                archive,
                place,
                selection=session.selection,
                workers=chosen.workers,
                allow=chosen.allow,
                restart=restart,
                patience=Patience(chosen.patience),
                observer=watch,
                stop=stop,
            )
        asked.write(report, watch, archive, place, stop)
    show = show_plan if dry_run else show_report
    return asked.ending(session.conclude(report, show, is_asked=dry_run))


@verb(app, settings=_MOVING, filters=True, reads=True, sends=True)
def plan(session: Session, source: Source, destination: Destination) -> ExitCode:
    """Foretell, run by run, what a destination cannot hold."""
    from dataclasses import replace

    from runferry.cli.places import destined, surveyed
    from runferry.cli.reports import show_plan
    from runferry.transfer.migrations import goal
    from runferry.transfer.push import plan_all

    place = destined(goal(source, destination))
    with surveyed(session, source) as survey, session.working() as (observer, stop):
        report = plan_all(
            survey.archive,
            place,
            selection=survey.selection,
            allow=session.settings.allow,
            observer=observer,
            stop=stop,
        )
    report = replace(
        report,
        source=str(survey.where),  # and not the temporary archive
        outcomes=(*report.outcomes, *survey.failures),
        cause=survey.cause,
    )
    return session.conclude(report, show_plan, is_asked=True)


@verb(app, settings=_MOVING, filters=True, reads=True, sends=True)
def verify(
    session: Session,
    original: Annotated[
        str, typer.Argument(metavar="A", help="The original.", autocompletion=sources)
    ],
    copy: Annotated[str, typer.Argument(metavar="B", help="Its copy.", autocompletion=sources)],
) -> ExitCode:
    """Compare every value of two places."""
    from runferry.cli.places import located, read_options
    from runferry.cli.reports import show_verification
    from runferry.transfer.migrations import goal
    from runferry.transfer.verify import verify as compare

    with session.working() as (observer, stop):
        report = compare(
            located(original),
            located(goal(original, copy)),
            options=read_options(session),
            selection=session.selection,
            workers=session.settings.workers,
            allow=session.settings.allow,
            observer=observer,
            stop=stop,
        )
    return session.conclude(report, show_verification)


@verb(app, settings=["rate", "allow", "timezone"], filters=True, sends=True)
def report(
    session: Session,
    folder: Annotated[str, typer.Argument(metavar="ARCHIVE", help="An archive.")],
    destination: Annotated[str, typer.Argument(metavar="DST", help="Where its runs were sent.")],
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", help="The page, an .html file.")
    ] = "report.html",
    curves: Annotated[
        int, typer.Option("--curves", metavar="N", min=0, help="Runs that are read back.")
    ] = 24,
) -> ExitCode:
    """Tell on a page what an archive's runs became in a tracker."""
    from runferry.cli.paging import page_path, write_page
    from runferry.cli.places import destined, own_archive
    from runferry.errors import UsageError
    from runferry.pictures.told import of_record

    path, place = page_path(output), destined(destination)
    if path is None:
        raise UsageError("no file is named for the report", hint="-o report.html")
    archive = own_archive(session, folder)
    with session.working() as (_, stop):
        told = of_record(archive, place, session.selection, session.settings.allow)
        is_written = write_page(session, path, told, archive, place, stop, curves=curves)
    code = told.ending if is_written else ExitCode.FAILED  # the page is all that was asked for
    if session.is_json:
        document = {"schema": 1, "report": str(path) if is_written else None}
        session.print_json(document | {"exit_code": int(code), "runs": len(told.runs)})
    return code
