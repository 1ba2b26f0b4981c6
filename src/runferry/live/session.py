"""A session of mirroring: its folder, its delivery process, and the hooks that write to it.

In the training process, so: nothing but the standard library and the native append, and nothing
that waits for a server.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Protocol

from runferry.errors import UsageError
from runferry.live.frames import Kind
from runferry.live.journal import Journal, JournalWarning
from runferry.live.layout import (
    FOLDER_VARIABLE,
    TO_VARIABLE,
    Layout,
    Stated,
    beginning,
    is_session,
    live_session,
    new_folder,
)
from runferry.live.status import Status
from runferry.redact import without_credentials

_LOOK_SECONDS = 0.05
_LATER = "`runferry resume` delivers what is captured."


class Hook(Protocol):
    """Captures what one SDK logs."""

    name: ClassVar[str]

    def on(self) -> None:
        """Begin to capture; harmless when repeated."""
        ...

    def off(self) -> None:
        """Put everything back as it was."""
        ...


class Session:
    """What is captured in this process for one set of destinations."""

    def __init__(
        self, layout: Layout, destinations: tuple[str, ...], secrets: Mapping[str, str]
    ) -> None:
        """`secrets` are variables for the delivery process alone."""
        self.layout = layout
        self._secrets = secrets
        self.destinations = destinations
        self.journal = Journal(layout.journals)
        self.hooks: dict[str, Hook] = {}
        self._asked_at = 0.0

    def capture(self, hook: Hook) -> None:
        """Put a hook on, unless one of its kind is on already."""
        known = self.hooks.setdefault(hook.name, hook)
        known.on()

    def release(self) -> None:
        """Take all hooks off, and say that no more comes from this process."""
        for hook in self.hooks.values():
            hook.off()
        self.hooks.clear()
        self.journal.close(Kind.STOP)

    def deliver(self, *, is_inherited: bool = False) -> None:
        """Start the delivery process. Nobody waits for it, and it is no child of ours.

        It follows for as long as this process, or with `is_inherited` what it becomes, has its
        journal open; where none can be opened there is nothing to follow.
        """
        self.journal.begin(is_inherited=is_inherited)
        if self.journal.is_stopped:
            return
        try:
            self._start()
        except OSError as error:  # what is captured until then waits on the disk
            told = f"runferry: nothing is delivered: {error.strerror or error}. Training goes on; "
            with contextlib.suppress(Exception):  # where warnings are errors they are not ours
                warnings.warn(f"{told}{_LATER}", JournalWarning, stacklevel=2)

    def _start(self) -> None:
        """Raises OSError."""
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(map(os.path.abspath, filter(None, sys.path))),
            TO_VARIABLE: json.dumps(self.destinations),
            **self._secrets,
        }
        environment.pop(FOLDER_VARIABLE, None)
        self._asked_at = time.time()
        command = [sys.executable, "-P", "-m", "runferry.live.deliver", str(self.layout.root)]
        with self.layout.log.open("ab") as log:
            subprocess.run(  # it forks, and is back at once
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                check=False,
                start_new_session=True,
            )

    def stands_at(self, folder: Path | None) -> bool:
        """Whether its folder is there, and this one, where one is named."""
        root = self.layout.root
        return (folder is None or root == folder.absolute()) and is_session(root)

    @property
    def has_no_place(self) -> bool:
        """Whether nothing is captured, since no folder could be made for it."""
        return self.journal.is_given_up

    def succeed(self, before: Session) -> None:
        """Take the place of one that has no folder, or none any more: it captures nothing more.

        What it had dropped is told by this one.
        """
        before.release()
        before.journal.give_up(FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)))
        self.journal.dropped.update(before.journal.dropped)

    def wait(self, seconds: float) -> Status | None:
        """The status once all of it is delivered, or what it is when time is up.

        None at once where the session has no folder.
        """
        if not is_session(self.layout.root):
            return None
        deadline = time.monotonic() + seconds
        ends = {path.name: path.stat().st_size for path in self.layout.journals.glob("*.journal")}
        while True:
            status = None
            with contextlib.suppress(OSError, ValueError, TypeError):
                status = Status.read(self.layout.status)
            is_over = status is not None and (status.holds(ends) or self._is_given_up(status, ends))
            if is_over or time.monotonic() > deadline:
                return status
            time.sleep(_LOOK_SECONDS)

    def _is_given_up(self, status: Status, ends: dict[str, int]) -> bool:
        """Whether the delivery that was asked for last has ended, or has never begun."""
        if status.state != "gave-up" or (status.journals and not status.has_taken(ends)):
            return False
        return self.layout.status.stat().st_mtime >= self._asked_at


class Sessions:
    """Those of this process, by their destinations; a child has none until it begins its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[tuple[str, ...], Session] = {}

    def begin(
        self,
        destinations: tuple[str, ...],
        folder: Path | None,
        stated: Stated,
        secrets: Mapping[str, str] | None = None,
    ) -> Session:
        """The session for these destinations: this process's, its parent's, or a new one.

        One whose folder cannot be made is given all the same, and counts what it cannot take: who
        trains is warned. Raises UsageError where this process has one that delivers there in
        another way.
        """
        with self._lock:
            session = self._known.get(destinations)
            if session is not None and session.stands_at(folder):
                if Stated.read(session.layout.root).is_like(stated):
                    session.deliver()  # the one that was there may have ended
                    return session
                if session.hooks:  # both would bring the same runs there
                    raise UsageError(
                        "this process mirrors to the same place already, in another way",
                        where=", ".join(stated.destinations),
                        hint="call stop_logging() first, or name another folder",
                    )
            return self._begun(destinations, folder, stated, secrets or {})

    def _begun(
        self,
        destinations: tuple[str, ...],
        folder: Path | None,
        stated: Stated,
        secrets: Mapping[str, str],
    ) -> Session:
        before = self._known.get(destinations)
        joined = folder.absolute() if folder else _joined(stated)
        with contextlib.nullcontext() if joined else beginning():
            root = joined or live_session(stated) or new_folder()
            session = Session(Layout(root), destinations, secrets)
            try:
                if not is_session(root):
                    make_folder(root, stated)
            except OSError as error:
                if before is not None and before.has_no_place:
                    return before  # there is none still, which was told once
                session.journal.give_up(error)
            self._known[destinations] = session
            if before is not None and not is_session(before.layout.root):
                session.succeed(before)
            if session.has_no_place:
                return session
            session.journal.begin()
        os.environ[FOLDER_VARIABLE] = str(root)
        session.deliver()
        return session

    def join(self, layout: Layout) -> Session:
        """The session of `runferry run`, which has a delivery process already."""
        places = Stated.read(layout.root).destinations
        with self._lock:
            return self._known.setdefault(places, Session(layout, places, {}))

    def all(self) -> list[Session]:
        """In the order in which they were begun."""
        return list(self._known.values())


def _joined(stated: Stated) -> Path | None:
    """The session of the process that started this one, if it does for this one too."""
    named = os.environ.get(FOLDER_VARIABLE)
    if not named or not is_session(Path(named)):
        return None
    return Path(named) if Stated.read(Path(named)).is_like(stated) else None


def make_folder(root: Path, stated: Stated) -> None:
    """Make a session's folder, and take the space in which delivery says what became of it.

    Raises OSError.
    """
    stated.write(root)
    Status.reserve(Layout(root).status, stated.destinations)


def without_secrets(destinations: tuple[str, ...]) -> tuple[str, ...]:
    """As they may stand on a disk."""
    return tuple(without_credentials(text, is_location=True) for text in destinations)


sessions = Sessions()
