"""Verbs that only look: ls, inspect, plot, records, formats, settings, completion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from runferry.cli.app import app
from runferry.cli.options import OptionalInt, OptionalText, Session, sources, verb
from runferry.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from runferry.cli.places import Survey
    from runferry.pictures.curves import AxisKind
    from runferry.transfer.report import RunOutcome

Where = Annotated[
    str,
    typer.Argument(metavar="WHERE", help="Any place that can be read.", autocompletion=sources),
]


@verb(app, settings=["timezone", "rate"], filters=True, metrics=False, reads=True)
def ls(session: Session, where: Where) -> ExitCode:
    """List the runs of a place, one line each."""
    from runferry.anywhere import looked_once
    from runferry.cli.listing import entries, entry_json, show_entries
    from runferry.cli.places import located

    failures: list[RunOutcome] = []
    with looked_once():
        location = located(where)
        listed = list(entries(session, location, failures))
    if session.is_json:
        runs = [entry_json(entry) for entry in listed]
        document = {"schema": 1, "where": str(location), "runs": runs}
        session.print_json({**document, "failed": [outcome.to_json() for outcome in failures]})
    else:
        show_entries(session, listed)
    _complain_of(session, failures)
    return ExitCode.SOME_FAILED if failures else ExitCode.DONE


@verb(app, settings=["timezone", "workers", "rate"], filters=True, reads=True)
def inspect(session: Session, where: Where) -> ExitCode:
    """Show all that is known of the runs of a place."""
    from runferry.cli.documents import inventory_json
    from runferry.cli.inspecting import show_inventory
    from runferry.cli.places import surveyed

    with surveyed(session, where) as survey:
        found = survey.inventories()
        if session.is_json:
            document = {"schema": 1, "where": str(survey.where)}
            document |= {"runs": [inventory_json(inventory) for inventory in found]}
            session.print_json(document | survey.unread_json())
        else:
            for inventory in found:
                show_inventory(session, inventory, survey.archive)
        _tell_unread(session, survey)
    return survey.exit_code


@verb(app, settings=["timezone", "workers", "rate"], filters=True, reads=True)
def plot(
    session: Session,
    where: Where,
    output: Annotated[
        OptionalText,
        typer.Option("--output", "-o", metavar="FILE", help="Write a .png or .svg instead."),
    ] = None,
    x: Annotated[
        OptionalText,
        typer.Option(
            "--x",
            metavar="AXIS",
            help="step, time, relative or row. [default: steps where there are some]",
            autocompletion=lambda: list(AXES),
        ),
    ] = None,
    log: Annotated[bool, typer.Option("--log", help="Values on a logarithmic axis.")] = False,
    together: Annotated[
        bool, typer.Option("--together", help="All series in one picture, not one each.")
    ] = False,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="Lines drawn.")] = 20,
    height: Annotated[
        OptionalInt, typer.Option("--height", metavar="ROWS", min=3, max=200, help="Of a picture.")
    ] = None,
) -> ExitCode:
    """Draw series of numbers: here, or as PNG or SVG."""
    from runferry.cli.places import surveyed
    from runferry.cli.plotting import dots_across, notes, panels_json, show_panels
    from runferry.pictures import figure
    from runferry.pictures.panels import Choice, choose, draw, panels

    choice = Choice(_axis(x), log, together, limit)
    save = None if output is None else figure.saver(output)
    with surveyed(session, where) as survey:
        found = survey.inventories()
        try:
            chosen = choose(found, session.selection, choice, str(survey.where))
        finally:  # also where they are why there is nothing to draw
            _tell_unread(session, survey)
        keys = {line.series.key for line in chosen.lines}
        many = 1 if together else len(keys)
        is_here = save is None and not session.is_json
        made = panels(chosen, choice, dots_across(session, many) if is_here else figure.COLUMNS)
        draw(survey.archive, made)
    if save is not None:
        for warning in save(made, str(survey.where)):
            session.note(f"warning: {warning}")
    if session.is_json:
        document: dict[str, object] = {"schema": 1, "where": str(survey.where), "x": chosen.axis}
        document |= {"output": output, "panels": panels_json(made)}
        document |= {"left_out": chosen.left_out, "without_place": chosen.placeless}
        session.print_json(document | survey.unread_json())
    elif save is None:
        show_panels(session, made, height)
    for said in notes(chosen):
        session.note(said)
    return survey.exit_code


def _complain_of(session: Session, failures: list[RunOutcome]) -> None:
    for outcome in failures:
        session.complain(outcome.error or "this run cannot be read", outcome.run, outcome.hint)


def _tell_unread(session: Session, survey: Survey) -> None:
    """The runs that cannot be read, and why others were not tried."""
    from runferry.cli.reports import tell_aborted

    _complain_of(session, survey.failures)
    is_begun = bool(survey.selection.uids)
    tell_aborted(session, survey.aborted, survey.failures, is_begun)


AXES: tuple[AxisKind, ...] = ("step", "time", "relative", "row")


def _axis(text: str | None) -> AxisKind | None:
    """Raises UsageError."""
    for kind in AXES:
        if text == kind:
            return kind
    if text is None:
        return None
    raise UsageError(f"`--x` cannot be {text!r}", hint=f"one of: {', '.join(AXES)}")


@verb(app)
def records(
    session: Session,
    path: Annotated[
        str, typer.Argument(metavar="PATH", help="A .wandb file, or a folder with one.")
    ],
) -> None:
    """Count the records of a .wandb file by type."""
    from runferry.cli.wandb_records import read_records, records_json, show_records

    found = read_records(path)
    if session.is_json:
        session.print_json({"schema": 1, "path": path, **records_json(found)})
    else:
        show_records(session, found)


@verb(app)
def formats(
    session: Session,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="As a page: docs/formats.md.")
    ] = False,
) -> None:
    """Say what sources give, and what destinations keep."""
    from runferry.cli.holdings import holdings_json, holdings_page, show_holdings

    if session.is_json:
        session.print_json(holdings_json())
    elif markdown:
        typer.echo(holdings_page(), nl=False)
    else:
        show_holdings(session)


@verb(app, settings=["archive", "workers", "allow", "timezone"])
def settings(session: Session) -> None:
    """Print every setting, and where it came from."""
    from runferry.cli.grid import Column, show
    from runferry.cli.setting_values import spelled

    rows = [
        (name, spelled(session.settings, name), origin)
        for name, origin in session.resolved.origins.items()
    ]
    if session.is_json:
        values = {name: {"value": value, "from": origin} for name, value, origin in rows}
        session.print_json({"schema": 1, "settings": values})
        return
    columns = (Column("setting"), Column("value", is_elastic=True), Column("from", is_elastic=True))
    show(session.out, columns, [(n, v or "-", o) for n, v, o in rows], session.ellipsis)


@verb(app)
def completion(
    session: Session,
    shell: Annotated[
        str,
        typer.Argument(
            metavar="SHELL",
            help="bash, zsh or fish.",
            autocompletion=lambda: ["bash", "zsh", "fish"],
        ),
    ],
) -> None:
    """Print what makes a shell complete commands of runferry."""
    from runferry.cli.completions import SHELLS, script

    if shell not in SHELLS:
        raise UsageError(
            "there is no completion for this shell",
            where=shell,
            hint=f"runferry completion {'|'.join(SHELLS)}",
        )
    if session.is_json:
        session.print_json({"schema": 1, "shell": shell, "script": script(shell)})
    else:
        typer.echo(script(shell), nl=False)
