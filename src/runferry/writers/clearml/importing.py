"""Importing a session by the vendor's own function, in a process of its own."""

from __future__ import annotations

import logging
import re
import subprocess
import threading
from collections import deque
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from runferry.dialects.clearml.account import Account
from runferry.errors import Declined, MissingExtra
from runferry.python_apart import command_apart, environment_apart
from runferry.redact import without_credentials

_log = logging.getLogger(__name__)
_LINES_KEPT: Final = 12
_CODE: Final = """
import sys
from clearml import Task
print("runferry imported", Task.import_offline_session(sys.argv[1]), flush=True)
"""
_DONE: Final = re.compile(r"runferry imported ([0-9a-zA-Z_-]+)")
_NOT_OURS: Final = (
    "CLEARML_OFFLINE_MODE", "TRAINS_OFFLINE_MODE", "CLEARML_TASK_ID", "TRAINS_TASK_ID",
    "CLEARML_PROC_MASTER_ID", "TRAINS_PROC_MASTER_ID", "CLEARML_LOG_TASK_TO_BACKEND",
)  # fmt: skip
"""Variables of a task that may be running around us, and the mode in which nothing is sent."""
_LEAST_SECONDS: Final = 300.0
_BYTES_A_SECOND: Final = 100_000


def check_for_vendor() -> None:
    """Raises MissingExtra where there is no clearml package."""
    if find_spec("clearml") is None:
        raise MissingExtra("clearml", "clearml")


def import_session(session: Path, account: Account, home: Path) -> str:
    """Import a session, and give the id of the task that it became.

    Its words go to our log. The keys travel in the environment of the process alone. One that is
    still at it after a time that its size allows for is ended: against a server that is gone the
    vendor's client tries 240 times. Raises Declined with its last words.
    """
    said: deque[str] = deque(maxlen=_LINES_KEPT)
    task, has_ended_it = None, threading.Event()
    with subprocess.Popen(
        command_apart(_CODE, str(session)),
        env=_environment(account, home),
        cwd=home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None

        def end() -> None:
            has_ended_it.set()
            process.kill()

        timer = threading.Timer(_patience(session), end)
        timer.start()
        try:
            for line in process.stdout:
                found = _DONE.fullmatch(line.strip())
                task = found[1] if found else task
                told = account.without_secrets(without_credentials(line.strip()))
                if told and not found:
                    said.append(told)
                    _log.info("clearml: %s", told)
        except BaseException:
            process.kill()
            raise
        finally:
            timer.cancel()
    if task is None or task == "None" or process.returncode:
        words = "; ".join(said) or f"exit code {process.returncode}"
        if has_ended_it.is_set():
            words = f"it was ended after {_patience(session):.0f} s; {words}"
        raise Declined(
            f"clearml did not import the session: {words}",
            where=without_credentials(account.api_url),
            hint="see what it says; sessions in a folder are clearml:./FOLDER",
        )
    return task


def _patience(session: Path) -> float:
    size = sum(path.stat().st_size for path in session.rglob("*") if path.is_file())
    return _LEAST_SECONDS + size / _BYTES_A_SECOND


def _environment(account: Account, home: Path) -> Mapping[str, str]:
    """Ours, with the server that is meant; what the client keeps for itself lies beside."""
    others = {name: value for name, value in environment_apart().items() if name not in _NOT_OURS}
    return {
        **others,
        **account.environment(),
        "CLEARML_CACHE_DIR": str(home / "cache"),
        "PYTHONUNBUFFERED": "1",
    }
