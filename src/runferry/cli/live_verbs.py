"""Verbs that mirror runs while they train: run, follow, status, resume."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from runferry.cli.app import app
from runferry.cli.options import OptionalText, Session, destinations, sources, verb
from runferry.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from pathlib import Path

To = Annotated[
    list[str],
    typer.Option(
        "--to",
        metavar="DST",
        help="Where runs go; may be repeated.",
        autocompletion=destinations,
    ),
]
Journal = Annotated[
    OptionalText,
    typer.Argument(metavar="JOURNAL", help="A session's folder. [default: the newest]"),
]


@verb(app)
def run(
    session: Session,
    command: Annotated[list[str], typer.Argument(metavar="-- COMMAND", help="What trains.")],
    to: To = [],  # noqa: B006  typer reads it
    journal: Annotated[
        OptionalText, typer.Option("--journal", metavar="PATH", help="The session's folder.")
    ] = None,
) -> NoReturn:
    """Run a training command, and mirror what it logs."""
    from pathlib import Path

    from runferry.cli.living import became
    from runferry.cli.places import destined
    from runferry.live.layout import new_folder

    if not to:
        raise UsageError("--to is missing", hint="runferry run --to mlflow:URI -- python train.py")
    for place in to:
        destined(place)
    root = Path(journal).absolute() if journal else new_folder()
    became(session, root, tuple(to), command)


@verb(app, settings=["archive", "timezone"])
def follow(
    session: Session,
    sources: Annotated[
        list[str],
        typer.Argument(metavar="SRC…", help="Folders or files that grow.", autocompletion=sources),
    ],
    to: To = [],  # noqa: B006  typer reads it
    quiet_seconds: Annotated[
        float,
        typer.Option(
            "--until-quiet", metavar="SECONDS", help="A run that never says so is over after this."
        ),
    ] = 600.0,
) -> ExitCode:
    """Mirror files that grow, until their runs end."""
    from runferry.cli.living import followed, growing, show_status
    from runferry.cli.places import destined

    if not to:
        raise UsageError("--to is missing", hint="runferry follow ./wandb ./runs --to mlflow:URI")
    places = tuple(growing(text) for text in sources)
    status = followed(session, places, tuple(destined(text) for text in to), quiet_seconds)
    return show_status(session, status)


@verb(app)
def status(
    session: Session,
    journal: Journal = None,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Again and again until it is done.")
    ] = False,
) -> ExitCode:
    """Show what of a session arrived where."""
    from runferry.cli.living import seen, show_status, watched

    root = _session_at(journal)
    return watched(session, root) if watch else show_status(session, seen(session, root), root)


@verb(app)
def resume(
    session: Session,
    journal: Journal = None,
    to: To = [],  # noqa: B006  typer reads it
) -> ExitCode:
    """Deliver what of a session has not arrived yet."""
    from runferry.cli.living import resumed, show_status

    root = _session_at(journal)
    return show_status(session, resumed(session, root, tuple(to)), root)


def _session_at(named: str | None) -> Path:
    """Raises UsageError where there is none."""
    import shlex
    from pathlib import Path

    from runferry.live.layout import HOME, is_session, sessions

    known = sessions(HOME if named is None else Path(named) / HOME)
    if named is not None and is_session(Path(named)):
        return Path(named)
    if named is not None:
        hint = f"its newest is {shlex.quote(str(known[-1]))}" if known else f"ls {HOME}"
        raise UsageError("this is no session", where=named, hint=hint)
    if not known:
        raise UsageError(
            f"there is no session below {HOME}",
            hint=f"go to the folder in which the training began, or name DIR/{HOME}/SESSION",
        )
    return known[-1]
