"""The options that verbs share, each written once, and the decorator that adds them.

A verb declares its own arguments; `verb` adds `--json`, `-v`, … , the settings it obeys, and the
filters. What they say reaches the verb as one `Session`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Annotated, Any, Optional

import typer

from runferry.cli.session import Session, session
from runferry.errors import ExitCode

FATES = "kept, excluded, renamed, re-encoded, rounded, merged, dropped"

OptionalText = Optional[str]  # noqa: UP045  typer reads it at run time
OptionalInt = Optional[int]  # noqa: UP045
OptionalTruth = Optional[bool]  # noqa: UP045

COMMON: dict[str, tuple[Any, object]] = {
    "json": (Annotated[bool, typer.Option("--json", help="Print one JSON document.")], False),
    "verbose": (
        Annotated[
            int,
            typer.Option(
                "--verbose", "-v", count=True, show_default=False, help="Say more; -vv: all."
            ),
        ],
        0,
    ),
    "quiet": (Annotated[bool, typer.Option("--quiet", "-q", help="Errors and data only.")], False),
}

SETTINGS: dict[str, Any] = {
    "archive": typer.Option(
        "--archive", metavar="PATH", help="The archive. [default: ./.runferry]"
    ),
    "workers": typer.Option("--workers", metavar="N", help="Runs moved at the same time."),
    "rate": typer.Option(
        "--rate", metavar="N", help="Requests a second that a server is asked at most."
    ),
    "allow": typer.Option(
        "--allow",
        metavar="FATE",
        help="The worst fate that is still success. [default: re-encoded]",
        autocompletion=lambda: FATES.split(", "),
    ),
    "timezone": typer.Option(
        "--timezone", metavar="ZONE", help="The zone of times that name none. [default: UTC]"
    ),
    "log_file": typer.Option("--log-file", metavar="PATH", help="Append the log to this file."),
    "color": typer.Option(
        "--color",
        metavar="WHEN",
        help="auto, always or never.",
        autocompletion=lambda: ["auto", "always", "never"],
    ),
}

NEPTUNE: dict[str, tuple[Any, object]] = {
    "neptune_visibility": (
        Annotated[
            OptionalText,
            typer.Option(
                "--visibility",
                metavar="WHO",
                help="Who sees projects made in Neptune. [default: workspace]",
                autocompletion=lambda: ["workspace", "private", "public"],
            ),
        ],
        None,
    ),
    "neptune_description": (
        Annotated[
            OptionalText,
            typer.Option(
                "--description",
                metavar="TEXT",
                help="Of projects made in Neptune. [default: Exported from URL]",
            ),
        ],
        None,
    ),
    "neptune_stage_as_tag": (
        Annotated[
            OptionalTruth,
            typer.Option(
                "--stage-as-tag", show_default=False, help="A Neptune model's stage becomes a tag."
            ),
        ],
        None,
    ),
}


def sources() -> list[str]:
    """What a place to read from can begin with."""
    from runferry.registry import reader_names

    return [f"{name}:" for name in reader_names()]


def destinations() -> list[str]:
    """What a place to write to can begin with."""
    from runferry.registry import writer_names

    return [f"{name}:" for name in writer_names()]


def _switches() -> list[str]:
    from runferry.transfer.exclusions import EVERY, SWITCHES

    return [*SWITCHES, EVERY]


INCLUDE = Annotated[
    list[str],
    typer.Option(
        "--include",
        metavar="SWITCH",
        help="Also what a way leaves out: `reports`, to Neptune `media/`, `_summary`, … or `all`.",
        autocompletion=_switches,
    ),
]

FILTERS: dict[str, Any] = {
    "project": typer.Option("--project", metavar="GLOB", help="Only runs of these projects."),
    "run": typer.Option("--run", metavar="GLOB", help="Only runs with these ids."),
    "tag": typer.Option("--tag", metavar="GLOB", help="Only runs with one of these tags."),
    "metric": typer.Option("--metric", metavar="GLOB", help="Only these series; !GLOB: all but."),
}

DATES: dict[str, Any] = {
    "since": typer.Option("--since", metavar="DATE", help="Only runs begun then or later."),
    "until": typer.Option("--until", metavar="DATE", help="Only runs begun before then."),
}

COLUMNS: dict[str, Any] = {
    "step_column": typer.Option("--step-column", metavar="NAME", help="A table's column of steps."),
    "time_column": typer.Option("--time-column", metavar="NAME", help="A table's column of times."),
    "run_column": typer.Option(
        "--run-column", metavar="NAME", help="A table's column that tells its runs apart."
    ),
}

DELETED = Annotated[
    bool, typer.Option("--include-deleted", help="Also runs that the source calls deleted.")
]

Verb = Callable[..., ExitCode | None]


def verb(
    app: typer.Typer,
    name: str | None = None,
    *,
    settings: Sequence[str] = (),
    filters: bool = False,
    metrics: bool = True,
    reads: bool = False,
    sends: bool = False,
    panel: str | None = None,
) -> Callable[[Verb], Verb]:
    """Registers a function of (session, its own arguments) with the shared options added."""

    def register(function: Verb) -> Verb:
        shared = _shared(("log_file", "color", *settings), filters, metrics)
        if reads:
            columns = [_option(n, Annotated[OptionalText, o], None) for n, o in COLUMNS.items()]
            shared = [_option("include_deleted", DELETED, False), *columns, *shared]
        if sends:
            told = [_option(name, *option) for name, option in NEPTUNE.items()]
            shared = [_option("include", INCLUDE, []), *told, *shared]
        own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
        names = {parameter.name for parameter in own}

        @wraps(function)
        def command(**given: Any) -> None:
            with session({k: v for k, v in given.items() if k not in names}) as opened:
                code = function(opened, **{k: v for k, v in given.items() if k in names})
                opened.tell_passed_over()
                code = opened.ending(code or ExitCode.DONE)
            raise typer.Exit(int(code))

        parameters = [*own, *shared]
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {p.name: p.annotation for p in parameters}
        app.command(name, rich_help_panel=panel)(command)
        return function

    return register


def _option(name: str, annotation: Any, default: object) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
    )


def _shared(settings: Sequence[str], filters: bool, metrics: bool) -> list[inspect.Parameter]:
    shared = []
    if filters:
        for name, option in FILTERS.items():
            if metrics or name != "metric":
                shared.append(_option(name, Annotated[list[str], option], []))
        for name, option in DATES.items():
            shared.append(_option(name, Annotated[OptionalText, option], None))
    for name, option in SETTINGS.items():
        if name in settings:
            shared.append(_option(name, Annotated[OptionalText, option], None))
    for name, (annotation, default) in COMMON.items():
        shared.append(_option(name, annotation, default))
    return shared


__all__ = ["DELETED", "FATES", "Session", "verb"]
