"""A vendor's own command at work: its words go to our log, and one that hangs is ended."""

from __future__ import annotations

import logging
import re
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from runferry import settings
from runferry.errors import Declined
from runferry.http.waits import wait
from runferry.python_apart import environment_apart
from runferry.redact import without_credentials
from runferry.writers.processes import Progress, end

_log = logging.getLogger(__name__)
_LINES_KEPT: Final = 12
_SECONDS_BETWEEN_LOOKS: Final = 0.2
_BETWEEN_TRACEBACKS: Final = (
    "The above exception was the direct cause of the following exception:",
    "During handling of the above exception, another exception occurred:",
)
_SECRET_VARIABLE: Final = re.compile(r"KEY$|TOKEN$|SECRET|PASSWORD", re.IGNORECASE)
_LEAST_SECRET: Final = 8
"""Characters: what is shorter may as well be a word of the message."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A command that has come to its end."""

    code: int
    said: tuple[str, ...]
    """Its last lines, without the places in its code that tracebacks name."""
    raised: str = ""
    """The last line of its last traceback: what it ended with."""

    @property
    def words(self) -> str:
        """What to say of it where it went wrong."""
        return self.raised or "; ".join(self.said) or f"exit code {self.code}"


@dataclass(frozen=True, slots=True)
class VendorCommand:
    """What is run, where, and what it is called in our messages (`wandb sync`)."""

    called: str
    command: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    told: Callable[[str], str] = str
    """What is told of a line, from which all that looks like a secret is gone; maybe nothing."""
    most_seconds: float | None = None
    """How long it may take, whatever it says meanwhile."""
    keeps: tuple[int, ...] = ()
    """Open files that it keeps open: locks that it is to hold as long as it lives."""

    def run(self, where: str) -> Ended:
        """Return when it has ended; its progress goes to our log, line by line.

        Raises Declined where it does nothing for as long as `patience` says or takes too long, and
        what ends a wait of this thread. It is ended then.
        """
        with subprocess.Popen(
            self.command,
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            pass_fds=self.keeps,
        ) as process:
            words = _Words(process, self)
            try:
                self._watch(process, words, where)
            finally:
                end(process)
                words.join()
        return Ended(process.returncode, tuple(words.said), words.raised)

    def _watch(self, process: subprocess.Popen[str], words: _Words, where: str) -> None:
        """Return when the command has ended."""
        patience, began = settings.current().patience, time.monotonic()
        while process.poll() is None or words.is_alive():
            wait(_SECONDS_BETWEEN_LOOKS, "")
            idle = words.progress.idle_seconds()
            if idle > patience:
                raise Declined(
                    _with(f"{self.called} did nothing for {idle:,.0f} seconds", words.said),
                    where=where,
                    hint="runferry settings  # shows `patience`, which says how long it may",
                )
            if self.most_seconds is not None and time.monotonic() - began > self.most_seconds:
                raise Declined(
                    _with(f"{self.called} took {self.most_seconds:,.0f} seconds", words.said),
                    where=where,
                    hint="see what it says, then run the command again",
                )


class _Words(threading.Thread):
    """Hears what a command says."""

    def __init__(self, process: subprocess.Popen[str], command: VendorCommand) -> None:
        super().__init__(name=command.called, daemon=True)
        self.said: deque[str] = deque(maxlen=_LINES_KEPT)
        self.raised = ""
        self._is_in_traceback = False
        self.progress = Progress(process.pid)
        self._process = process
        self._command = command
        secrets = (
            value
            for name, value in command.environment.items()
            if _SECRET_VARIABLE.search(name) and len(value) >= _LEAST_SECRET
        )
        self._secrets = sorted(secrets, key=len, reverse=True)  # one may be a part of another
        self.start()

    def run(self) -> None:
        """Until the command, and whatever it started, has closed its end."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.progress.heard()
            told = self._command.told(self._without_secrets(line.strip()))
            if told:
                self._take(line, told)
                _log.info("%s: %s", self._command.called, told)

    def _without_secrets(self, line: str) -> str:
        """Nor with the keys that the command was given."""
        for secret in self._secrets:
            line = line.replace(secret, "…")
        return without_credentials(line)

    def _take(self, line: str, told: str) -> None:
        """Keep what a line says, unless it stands inside of a traceback or between two."""
        if line.startswith("Traceback ("):
            self._is_in_traceback = True
        elif self._is_in_traceback and line[0].isspace():
            pass
        elif self._is_in_traceback:
            self._is_in_traceback = False
            self.raised = told
            self.said.append(told)
        elif told not in _BETWEEN_TRACEBACKS:
            self.said.append(told)


def environment_without(names: Collection[str]) -> dict[str, str]:
    """The variables of this process but for those; what is said comes as UTF-8."""
    others = {name: value for name, value in environment_apart().items() if name not in names}
    return {**others, "PYTHONIOENCODING": "utf-8"}


def _with(trouble: str, said: Collection[str]) -> str:
    return f"{trouble}: {'; '.join(said)}" if said else trouble
