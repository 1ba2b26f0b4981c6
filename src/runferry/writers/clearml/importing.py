"""Importing a session by the vendor's own function; its code runs in a process of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from runferry.dialects.clearml.account import Account
from runferry.errors import Declined, MissingExtra
from runferry.python_apart import command_apart
from runferry.redact import without_credentials
from runferry.writers.vendor_command import VendorCommand, environment_without

_CODE: Final = """
import sys
from clearml import Task
print("runferry imported", Task.import_offline_session(sys.argv[1]), flush=True)
"""
_SPARING: Final = "from runferry.thrift import spare_work; spare_work()\n"
"""First: half of the time that the client's import takes is a grammar that it has no use for."""
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

    Raises Declined with the last words of the vendor's client, and what `VendorCommand.run` raises.
    """
    size_bytes = sum(path.stat().st_size for path in session.rglob("*") if path.is_file())
    tasks = by_vendor(
        _CODE, session, account, home, size_bytes=size_bytes, did="import the session", tells=_DONE
    )
    return tasks[-1]


def by_vendor(
    code: str,
    argument: Path,
    account: Account,
    home: Path,
    *,
    size_bytes: int,
    did: str,
    tells: re.Pattern[str] | None = None,
) -> list[str]:
    """Run code of the vendor's; what the lines say that `tells` fits, of which there must be one.

    The keys travel in the environment of the process alone. One that is still at it after a time
    that `size_bytes` allows for is ended: against a server that is gone the vendor's client tries
    240 times. Raises Declined with its last words, and what `VendorCommand.run` raises.
    """
    told: list[str] = []

    def heard(line: str) -> str:
        found = None if tells is None else tells.fullmatch(line)
        if found is None:
            return account.without_secrets(line)
        told.append(found[1])
        return ""

    command = command_apart(_SPARING + code, str(argument))
    environment = _environment(account, home)
    patience = _LEAST_SECONDS + size_bytes / _BYTES_A_SECOND
    where = without_credentials(account.api_url)
    ended = VendorCommand("clearml", command, environment, home, heard, patience).run(where)
    if ended.code or (tells is not None and told[-1:] in ([], ["None"])):
        raise Declined(
            f"clearml did not {did}: {ended.words}",
            where=where,
            hint="see what it says; sessions in a folder are clearml:./FOLDER",
        )
    return told


def _environment(account: Account, home: Path) -> Mapping[str, str]:
    """Ours, with the server that is meant; what the client keeps for itself lies beside."""
    return {
        **environment_without(_NOT_OURS),
        **account.environment(),
        "CLEARML_CACHE_DIR": str(home / "cache"),
        "PYTHONUNBUFFERED": "1",
    }
