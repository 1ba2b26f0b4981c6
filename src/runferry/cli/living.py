"""What the verbs of `live_verbs` do, and how they tell it."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import NoReturn

import typer

from runferry.cli.grid import Column, show
from runferry.cli.places import located
from runferry.cli.session import Session
from runferry.cli.signals import stopping
from runferry.cli.streams import printable
from runferry.errors import ArchiveError, ExitCode, Locked, NotFound, RunferryError, UsageError
from runferry.live.layout import FOLDER_VARIABLE, Layout, Stated, is_delivered, is_live
from runferry.live.status import Status
from runferry.ports import Location

_COLUMNS = (
    Column("destination", is_elastic=True),
    Column("captured", "right"),
    Column("delivered", "right"),
    Column("pending", "right"),
    Column("dropped", "right"),
)
_LOOK_SECONDS = 0.5
_LOOKS = 3
_BEGINNING_SECONDS = 10.0
"""In which a delivery process has written its first status, or holds its lock by then."""
_ENDING_SECONDS = 30.0
"""In which a delivery that nothing stands in the way of ends once nobody trains."""
_ENDED = ("done", "gave-up", "stopped")
CAN_BECOME = os.name != "nt"
_CAN_TELL = os.name != "nt"
"""Whether locks say who is at work."""


def became(session: Session, root: Path, places: tuple[str, ...], command: list[str]) -> NoReturn:
    """Start the delivery process, and become the command: its signals and exit code are its own.

    Where no process can become another, this one waits, and ends with that code, whatever it is.
    Where the session has no space the command runs all the same, and is not mirrored.
    """
    from runferry.live import autostart
    from runferry.live.session import Session as Mirroring
    from runferry.live.session import make_folder, without_secrets

    try:
        make_folder(root, Stated(without_secrets(places)))
    except OSError as error:
        session.complain(
            f"nothing is mirrored, the command runs alone: {error.strerror or error}",
            where=str(root),
            hint="runferry run --journal ANOTHER/FOLDER …",
        )
        _replaced(command, os.environ)
    session.note(f"mirrored by {root}; see `runferry status '{root}'`")
    Mirroring(Layout(root), places, {}).deliver(is_inherited=True)
    hooks = str(Path(next(iter(autostart.__path__))))
    path = os.pathsep.join(filter(None, (hooks, os.environ.get("PYTHONPATH"))))
    environment = os.environ | {"PYTHONPATH": path, FOLDER_VARIABLE: str(root)}
    sys.stdout.flush()
    sys.stderr.flush()
    _replaced(command, environment)


def _replaced(command: list[str], environment: Mapping[str, str]) -> NoReturn:
    try:
        if CAN_BECOME:
            os.execvpe(command[0], command, environment)
        ended = subprocess.run(command, env=environment, check=False)
    except OSError as error:
        raise UsageError(
            f"cannot be run: {error.strerror}", where=command[0], hint=f"which {command[0]}"
        ) from error
    raise typer.Exit(ended.returncode)  # any code that a program has, not those of ours alone


def growing(text: str) -> Location:
    """What is followed. Raises BadLocation, NotFound where nothing tells yet what will grow."""
    try:
        return located(text)
    except NotFound as error:
        named = f"runferry follow {shlex.quote(f'wandb:{text}')} --to …"
        hint = f"say what will be there, and it is waited for: {named} (or tensorboard:, …)"
        raise NotFound(error.what, where=error.where, hint=hint) from error


def followed(
    session: Session,
    sources: tuple[Location, ...],
    places: tuple[Location, ...],
    quiet_seconds: float,
) -> Status:
    """Follow files until their runs end. Raises UsageError for a destination that is followed."""
    from runferry.live.following import Following, same

    for place in places:
        if same(sources, place):
            raise UsageError(
                "source and destination are the same place",
                where=str(place),
                hint="name another destination",
            )
    following = Following(
        sources,
        session.settings.archive,
        places,
        quiet_seconds=quiet_seconds,
        patience=session.settings.patience,
    )
    session.note("rows appear once they are written: by W&B 32 KiB at a time, by TensorBoard's")
    session.note("writers every flush_secs (120 unless they are told otherwise)")
    with stopping(following.stop):
        status = following.run(lambda _: None)
    if following.is_quiet:
        told = (
            f"nothing was written for {quiet_seconds:g} seconds, so what never said that it ended"
        )
        session.note(f"{told} counts as over; the same command goes on")
    return status


def resumed(session: Session, root: Path, places: tuple[str, ...]) -> Status | None:
    """Deliver a session in this process.

    Raises ArchiveError where its folder cannot be written, Locked where another process is at it.
    """
    from runferry.cli.places import destined
    from runferry.live.deliver import settled
    from runferry.live.delivery import Delivery, Ends
    from runferry.live.spare import clear_spares

    stated = Stated.read(root)
    ends = Ends(patience=settled(stated).patience)
    to = tuple(destined(text) for text in places or stated.destinations)
    layout, deadline = Layout(root), time.monotonic() + _ENDING_SECONDS
    while _is_ending(layout) and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)
    try:
        delivery = Delivery(layout, to, ends)
    except Locked as error:
        raise Locked(
            "another process delivers this session",
            where=str(root),
            hint=f"runferry status --watch {shlex.quote(str(root))}",
        ) from error
    except OSError as error:
        raise ArchiveError(
            f"this session cannot be written: {error.strerror or error}",
            where=str(root),
            hint="free some space, or copy the folder to another disk, then resume it there",
        ) from error
    with stopping(delivery.stop):
        status = delivery.run()
    clear_spares(layout.journals)
    return status


def _is_ending(layout: Layout) -> bool:
    """Whether a process delivers what is left of a session in which nobody trains any more."""
    if not _CAN_TELL or is_live(layout) or not is_delivered(layout):
        return False  # where nobody can tell it is tried at once
    status = Status.read(layout.status)
    return status is None or not any(one.failing for one in status.destinations)


def seen(session: Session, root: Path) -> Status | None:
    """The status, which cannot say by itself that the process is gone that wrote it."""
    layout = Layout(root)
    for _ in range(_LOOKS):  # one process may just take over from another
        status = Status.read(layout.status)
        if status is None or status.state in _ENDED or is_delivered(layout):
            return status
        time.sleep(_LOOK_SECONDS)
    session.note(f"nobody delivers any more: runferry resume {shlex.quote(str(root))}")
    return None if status is None else replace(status, state="stopped")


def watched(session: Session, root: Path) -> ExitCode:
    """Show the status whenever it changes, until nothing more is to come.

    Raises RunferryError where a delivery ended before it could write any.
    """
    last: Status | None = None
    deadline = time.monotonic() + _BEGINNING_SECONDS
    while True:
        status = seen(session, root)
        if status is None and time.monotonic() > deadline and not is_delivered(Layout(root)):
            raise RunferryError(
                "nobody delivers this session, and nothing of it was delivered yet",
                where=str(root),
                hint=f"runferry resume {shlex.quote(str(root))}; why is in {Layout(root).log.name}",
            )
        if status is not None and status != last:
            show_status(session, status, root)
            last = status
        if status is not None and status.state in _ENDED:
            return _code(status)
        time.sleep(_LOOK_SECONDS)


def show_status(session: Session, status: Status | None, root: Path | None = None) -> ExitCode:
    """As a table, or JSON; of what is in the session at `root`, how it goes on."""
    if status is None:
        session.complain("nothing was delivered yet", hint="runferry status --watch")
        return ExitCode.SOME_FAILED
    if session.is_json:
        session.print_json({"schema": 1, **asdict(status)})
        return _code(status)
    session.out.print(status.state)
    rows = [
        (
            one.destination,
            f"{status.captured:,}",
            f"{one.delivered:,}",
            f"{one.pending:,}",
            f"{status.dropped:,}",
        )
        for one in status.destinations
    ]
    show(session.out, _COLUMNS, rows, session.ellipsis)
    for one in status.destinations:
        if why := one.failing or one.waiting:  # of any length, and with what can be done
            lines = filter(None, f"{one.destination}: {why}".splitlines())
            session.out.print("\n".join(map(printable, lines)), soft_wrap=True)
    for one in status.destinations:
        if one.losses:
            told = ", ".join(f"{count:,} {code}" for code, count in sorted(one.losses.items()))
            session.note(f"{one.destination} does not have exactly: {told}")
    if status.state == "gave-up" and root is not None:
        again = f"runferry resume {shlex.quote(str(root))}"
        session.note(f"goes on with: {again} (to other places: {again} --to DST)")
    return _code(status)


def _code(status: Status) -> ExitCode:
    is_failing = status.state in ("gave-up", "stopped") or any(
        one.failing for one in status.destinations
    )
    return ExitCode.SOME_FAILED if is_failing else ExitCode.DONE
