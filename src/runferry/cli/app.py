"""The application that the verbs are registered with."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any, NoReturn, Protocol, runtime_checkable

import typer
from typer.core import TyperGroup

from runferry._version import VERSION


@runtime_checkable
class _CallError(Protocol):
    """What click raises for a call it does not understand; typer has a copy of click in it."""

    exit_code: int

    def format_message(self) -> str: ...
    def show(self) -> None: ...


class _Group(TyperGroup):
    """Ends as click does, and answers a wrong call that asked for JSON in JSON too."""

    def main(self, args: Any = None, *rest: Any, **more: Any) -> NoReturn:
        asked = list(sys.argv[1:] if args is None else args)
        try:
            code = super().main(args, *rest, **more | {"standalone_mode": False})
        except typer.Abort:
            sys.exit(1)
        except Exception as error:
            if not isinstance(error, _CallError):
                raise
            error.show()
            if "--json" in asked:
                _print_as_json(error)
            sys.exit(error.exit_code)
        sys.exit(code if isinstance(code, int) else 0)


def _print_as_json(error: _CallError) -> None:
    from runferry.cli import failure
    from runferry.cli.streams import print_json
    from runferry.errors import UsageError

    print_json(failure.as_json(UsageError(error.format_message(), hint="runferry --help")))


app = typer.Typer(
    cls=_Group,
    name="runferry",
    help="Move machine-learning experiments between trackers without losing anything.",
    epilog="A place is name:where, or a path: wandb:./wandb, mlflow:sqlite:///runs.db, ./archive.",
    no_args_is_help=True,
    add_completion="_RUNFERRY_COMPLETE" in os.environ,  # PowerShell asks; see `completions`
    rich_markup_mode=None,  # rich costs 50 ms that plain help does not need
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"runferry {VERSION}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Say which."),
    ] = False,
) -> None:
    pass
