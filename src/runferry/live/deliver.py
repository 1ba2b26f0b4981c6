"""`python -m runferry.live.deliver FOLDER`: the delivery process of a session.

It lets go of whoever started it, so it outlives the training process and is no child of it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from runferry.live.layout import TO_VARIABLE, Layout, Stated, is_live, journals
from runferry.live.spare import clear_spares, dropped_beside

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runferry.errors import RunferryError
    from runferry.live.status import DestinationStatus, State
    from runferry.ports import Location
    from runferry.settings import LiveUpload, Settings

_AGAIN_SECONDS = 10.0  # after which a folder that could not be written is tried again
_NICE = 10  # whoever trains goes first where processors are few


def main(arguments: list[str]) -> int:
    """Deliver one session until nothing is left. What goes wrong is in `delivery.log`."""
    root = Path(arguments[0])
    if hasattr(os, "fork") and "--here" not in arguments:
        if os.fork():
            return 0
        os.setsid()
        _give_way()
    return deliver(root)


def _give_way() -> None:
    """Linux shares processors out between sessions first, and looks at niceness within one alone
    (`man 7 sched`, autogroup): so the session is told, too, where the kernel has such groups.
    """
    os.nice(_NICE)
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(_NICE), encoding="ascii")


def deliver(root: Path) -> int:
    """The exit code says whether everything arrived."""
    import logging

    from runferry.errors import ExitCode, Locked, NoSpace, RunferryError
    from runferry.live.delivery import Delivery, Ends
    from runferry.live.status import name_of

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    log = logging.getLogger(__name__)
    stated = Stated.read(root)
    named = json.loads(os.environ.pop(TO_VARIABLE, "null")) or stated.destinations
    layout = Layout(root)
    try:
        patience = _kept(stated, root)
    except RunferryError as error:
        log.error("%s", error)
        _gave_up(layout, tuple(_refused(text, error) for text in named))
        return error.exit_code
    places, refused = _located(named)
    for one in refused:
        log.error("%s", one.failing)
    if not places:
        _gave_up(layout, refused)
        return ExitCode.FAILED
    while True:
        try:
            delivery = Delivery(layout, places, Ends(patience), refused)
        except Locked:
            return ExitCode.DONE  # another process has it, and looks again when it is done
        except (NoSpace, OSError) as error:  # the lock and the archive say the former
            why = error.strerror if isinstance(error, OSError) else None
            told = f"{root} cannot be written: {why or error}"
            log.error("%s", told)
            goes_on = is_live(layout)
            _stuck(layout, places, refused, told, goes_on=goes_on)
            if not goes_on:
                return ExitCode.FAILED
            _rest(layout)
            continue
        except RunferryError as error:
            log.error("%s", error)
            _gave_up(layout, (*(_refused(name_of(place), error) for place in places), *refused))
            return error.exit_code
        signal.signal(signal.SIGTERM, lambda *_, current=delivery: current.stop())
        status = delivery.run()
        is_new = any(path.name not in status.journals for path in journals(layout))
        clear_spares(layout.journals)
        if delivery.is_stopped or not (is_new or is_live(layout)):
            return ExitCode.DONE if status.state == "done" else ExitCode.SOME_FAILED
        if delivery.has_failed:
            _rest(layout)


def _located(
    named: Iterable[str],
) -> tuple[tuple[Location, ...], tuple[DestinationStatus, ...]]:
    """Places, and what is none: that concerns the others as little as a dead one does."""
    from runferry.errors import RunferryError
    from runferry.locations import locate

    places: list[Location] = []
    refused: list[DestinationStatus] = []
    for text in named:
        try:
            places.append(locate(text, role="destination"))
        except RunferryError as error:
            refused.append(_refused(text, error))
    return tuple(places), tuple(refused)


def _refused(text: str, error: RunferryError) -> DestinationStatus:
    """Of a destination as it was named, without its credentials."""
    from runferry.live.status import DestinationStatus
    from runferry.redact import without_credentials

    return DestinationStatus(without_credentials(text, is_location=True), failing=str(error))


def _gave_up(layout: Layout, told: tuple[DestinationStatus, ...]) -> None:
    """Say why nothing is delivered, and nothing will be before somebody resumes it."""
    from runferry.live.status import Status

    with contextlib.suppress(OSError):  # the log has it
        Status("gave-up", os.getpid(), destinations=told).write(layout.status)


def _stuck(
    layout: Layout,
    places: tuple[Location, ...],
    refused: tuple[DestinationStatus, ...],
    told: str,
    *,
    goes_on: bool,
) -> None:
    """Say of every destination what stands in the way, and what is dropped meanwhile; how far it
    was is known from before.
    """
    from runferry.live.status import DestinationStatus, Status, name_of

    state: State = "delivering" if goes_on else "gave-up"
    with contextlib.suppress(OSError, ValueError):  # the log has it, if it has space
        begun = (*(DestinationStatus(name_of(place)) for place in places), *refused)
        known = Status.read(layout.status) or Status(state, 0, destinations=begun)
        now = replace(
            known,
            state=state,
            process=os.getpid(),
            dropped=max(known.dropped, dropped_beside(layout.journals)),
            destinations=tuple(replace(one, failing=told) for one in known.destinations),
        )
        now.write(layout.status)


def settled(stated: Stated) -> Settings:
    """The settings of this process, with those that a session asks for. Raises BadSetting."""
    from runferry import settings

    before = settings.current()
    is_shown = before.swanlab_dashboard or bool(stated.options.get("swanlab_dashboard"))
    is_growing = "growing" in (before.live_upload, stated.options.get("live_upload"))
    upload: LiveUpload = "growing" if is_growing else "end"
    settings.install(replace(before, swanlab_dashboard=is_shown, live_upload=upload))
    return settings.current()


def _kept(stated: Stated, root: Path) -> float:
    """Settle, and note with the session what whoever resumes it has to go by, too; its patience.

    A run that has begun to grow somewhere goes on in the same order of rows.
    """
    settings = settled(stated)
    if settings.live_upload != stated.options.get("live_upload", "end"):
        options = {**stated.options, "live_upload": settings.live_upload}
        with contextlib.suppress(OSError):  # what cannot be written is told by the delivery
            replace(stated, options=options).write(root)
    return settings.patience


def _rest(layout: Layout) -> None:
    """Leave a folder alone that cannot be written.

    Whoever asks sees that somebody delivers it; whoever resumes it meanwhile does not wait.
    """
    from runferry.archive.lock import FileLock
    from runferry.errors import Locked, NoSpace

    lock = FileLock(layout.rest_lock)
    with contextlib.suppress(Locked, NoSpace, OSError):  # then nobody sees it meanwhile
        lock.acquire()
    time.sleep(_AGAIN_SECONDS)
    lock.release()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
