"""The application that the verbs are registered with."""

from __future__ import annotations

from typing import Annotated

import typer

from runferry._version import VERSION

app = typer.Typer(
    name="runferry",
    help="Move machine-learning experiments between trackers without losing anything.",
    epilog="A place is name:where, or a path: wandb:./wandb, mlflow:sqlite:///runs.db, ./archive.",
    no_args_is_help=True,
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
