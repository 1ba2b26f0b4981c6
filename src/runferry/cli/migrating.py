"""What the two migrations into Neptune ask on a terminal, and the log that they keep."""

from __future__ import annotations

import glob
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from runferry.cli.session import Session
from runferry.cli.streams import printable
from runferry.errors import UsageError
from runferry.transfer.migrations import (
    MODELS,
    NEPTUNE,
    WANDB,
    Road,
    check_token,
    goal,
    own_project,
    road,
)

_ANSWERS_ENDED: Final = "the answers ended before the questions"


@contextmanager
def migrating(
    session: Session, source: str, destination: str, *, is_dry: bool = False
) -> Iterator[tuple[str, str]]:
    """The two ends of a conversion as they are meant; of a migration a log is kept meanwhile.

    What a migration was not told is asked for, where somebody can answer. Raises UsageError,
    BadLocation, AuthFailed where no token is set, and what the source raises when its projects are
    listed. A dry run (`is_dry`) needs no token of the destination's.
    """
    from runferry.cli.logs import kept_in

    taken = road(source, destination)
    if taken is None:
        yield source, destination
        return
    if not is_dry:
        check_token()
    if sys.stdin.isatty() and sys.stderr.isatty():
        ask = _asked_of_wandb if taken == "wandb-to-neptune" else _asked_of_models
        source, destination = ask(session, source, destination)
    else:
        if source == MODELS:
            own_project()  # or an error, before there is a log of what was never begun
        destination = goal(source, destination)
    session.counted_as = taken
    if session.settings.log_file is not None:
        yield source, destination
        return
    log_file = _log_file(taken)
    session.note(f"log: {log_file}")
    with kept_in(log_file, session.verbosity):
        yield source, destination


def _log_file(taken: Road) -> Path:
    """In the current folder, named by what is done and when."""
    return Path(f"{taken}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.log")


def _asked_of_wandb(session: Session, source: str, destination: str) -> tuple[str, str]:
    from runferry.transfer.migrations import named_project, of_entity, on_server

    if source == WANDB:
        source = of_entity(_answer("W&B entity (blank: your default one)"))
    if destination == NEPTUNE:
        destination = on_server(_answer("Neptune workspace (blank: that of NEPTUNE_PROJECT)"))
    destination = goal(source, destination)
    _ask_for_workers(session)
    if named_project(source) is None and not session.filters.get("project"):
        _ask_for_projects(session, source)
    return source, destination


def _asked_of_models(session: Session, source: str, destination: str) -> tuple[str, str]:
    if source == MODELS:
        question = "Neptune project, WORKSPACE/PROJECT (blank: NEPTUNE_PROJECT)"
        source = f"{MODELS}{_answer(question)}"
        if source == MODELS:
            own_project()  # or an error, before more is asked
    destination = goal(source, destination)
    _ask_for_workers(session)
    return source, destination


def _ask_for_workers(session: Session) -> None:
    """Unless the command line, the environment or a file says how many."""
    from runferry import settings

    if session.resolved.origins["workers"] != "default":
        return
    while text := _answer(f"Number of workers (blank: {session.settings.workers})"):
        try:
            workers = settings.workers_of(text)
        except ValueError as error:
            print(f"{printable(text)}: {error}", file=sys.stderr)
            continue
        answered = replace(session.settings, workers=workers)
        origins = {**session.resolved.origins, "workers": "the terminal"}
        session.resolved = settings.Resolved(answered, origins)
        settings.install(answered)
        return


def _ask_for_projects(session: Session, source: str) -> None:
    """All are named, and those that are answered become the filter."""
    from runferry.cli.places import located
    from runferry.transfer.migrations import chosen, projects

    known = projects(located(source))
    print(f"Projects: {printable(', '.join(known))}", file=sys.stderr)
    answer = _answer("Projects to export, separated by commas (blank: all)")
    found, unknown = chosen(answer, known)
    for name in unknown:
        print(f"warning: there is no project {printable(name)}: left out", file=sys.stderr)
    if unknown and not found:
        raise UsageError(
            "none of these projects is there",
            where=source,
            hint=f"runferry ls {shlex.quote(source)}",
        )
    session.filters = {**session.filters, "project": [glob.escape(name) for name in found]}


def _answer(question: str) -> str:
    """One line from the terminal; on stderr, since stdout is for what comes of it."""
    try:
        sys.stderr.write(f"{question}: ")
        sys.stderr.flush()
        line = sys.stdin.readline()
    except KeyboardInterrupt:
        print(file=sys.stderr)  # the question's line has no end yet
        raise
    if not line:
        print(file=sys.stderr)
        raise UsageError(_ANSWERS_ENDED, hint="give them as arguments: runferry convert --help")
    return line.strip()
