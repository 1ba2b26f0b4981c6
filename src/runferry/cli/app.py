"""The application that the verbs are registered with."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Collection
from typing import Annotated, Any, NoReturn, Protocol, runtime_checkable

import typer
from typer.core import TyperGroup

from runferry._version import VERSION
from runferry.errors import UsageError


@runtime_checkable
class _CallError(Protocol):
    """What click raises for a call it does not understand; typer has a copy of click in it."""

    exit_code: int

    def format_message(self) -> str: ...
    def show(self) -> None: ...


class _Group(TyperGroup):
    """Ends as click does, and says what is wrong with a call as any other error is said."""

    def main(self, args: Any = None, *rest: Any, **more: Any) -> NoReturn:
        asked = list(sys.argv[1:] if args is None else args)
        try:
            code = super().main(args, *rest, **more | {"standalone_mode": False})
        except typer.Abort:
            sys.exit(1)
        except Exception as error:
            if not isinstance(error, _CallError):
                raise
            named, verbs = self._named(asked)
            if named == asked and verbs:  # its help is the error
                error.show()
            else:
                command = shlex.join(["runferry", *named, "--help"])
                _tell(UsageError(_sentence(error.format_message()), hint=command), asked)
            sys.exit(error.exit_code)
        sys.exit(code if isinstance(code, int) else 0)

    def _named(self, asked: list[str]) -> tuple[list[str], Collection[str]]:
        """The words that name a group of verbs or a verb, as far as they do; and the group's."""
        verbs: Any = self.commands
        words = []
        for word in asked:
            if word not in verbs:
                break
            words.append(word)
            verbs = getattr(verbs[word], "commands", {})
        return words, verbs


def _sentence(said: str) -> str:
    """Click's words in the form of ours."""
    said = said.replace(". Did you mean ", ": did you mean ").replace("(Possible", "(possible")
    return f"{said[:1].lower()}{said[1:].rstrip('.')}"


def _tell(error: UsageError, asked: list[str]) -> None:
    from runferry.cli import failure
    from runferry.cli.streams import print_json

    failure.tell(error)
    if "--json" in asked:
        print_json(failure.as_json(error))


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
