"""Uploading a run folder by the vendor's own command, `swanlab sync`.

What it says of failures (0.10.3): a wrong key, a server that cannot be reached and a project that
may not be written end it with code 1 and a traceback. What fails later (records that the server
refuses, files that are gone, the end of the run) is only a line of its output, and the code is 0.
So both are looked at. Records that it skips as repeated are told to no one but its debug log; the
folders that are uploaded here have none.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections import deque
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from runferry.errors import MissingExtra
from runferry.writers.swanlab.refusals import refusal
from runferry.writers.vendor_command import VendorCommand, environment_without

_LINES_KEPT: Final = 12
_TROUBLE: Final = re.compile(
    r"\|\s*ERROR\s*\||^\w*Error: |finish failed|\b(skipping|skipped|dropped|unreadable)\b"
)
_PLACE: Final = re.compile(r"View synced run at \S*?([^/@\s]+)/([^/\s]+)/runs/([^/\s]+)")
"""Of `https://HOST/@WORKSPACE/…`, where what stands before the `@` is gone: like a password."""
_LINK: Final = re.compile(r"View (project|synced run) at ")
_NOT_OURS: Final = (
    "SWANLAB_MODE", "SWANLAB_RUN_ID", "SWANLAB_WORKSPACE", "SWANLAB_PROJ_NAME", "SWANLAB_RESUME",
)  # fmt: skip
"""Variables that say of another run where it belongs."""
_WIDE: Final = "10000"
"""Columns: the command wraps its lines to the terminal's."""


def vendor_command() -> list[str]:
    """The command, of this Python or of the PATH. Raises MissingExtra where there is none."""
    if find_spec("swanlab") is not None:
        return [sys.executable, "-P", "-m", "swanlab"]
    found = shutil.which("swanlab")
    if found is None:
        raise MissingExtra("swanlab", "swanlab")
    return [found]


def environment() -> dict[str, str]:
    """The variables that the command needs."""
    return {**environment_without(_NOT_OURS), "COLUMNS": _WIDE}


def upload(
    folder: Path,
    run_id: str,
    workspace: str | None,
    project: str | None,
    keeps: tuple[int, ...] = (),
) -> str | None:
    """Upload one run, and return when all of it has arrived by what the command says: where.

    That is WORKSPACE/PROJECT/ID; None where the command does not tell.

    Whose key it uses and which server it means is the command's own affair (`swanlab login`,
    SWANLAB_API_KEY, SWANLAB_API_HOST). Raises AuthFailed, Declined, and what `VendorCommand.run`
    raises.
    """
    command = [*vendor_command(), "sync", "--id", run_id]
    command += ["--workspace", workspace] if workspace else []
    command += ["--project", project] if project else []
    trouble: deque[str] = deque(maxlen=_LINES_KEPT)
    places: list[str] = []

    def told(line: str) -> str:
        if (found := _PLACE.search(line)) is not None:
            places.append("/".join(found.groups()))
        if _TROUBLE.search(line) and not _LINK.search(line):
            trouble.append(line)
        return line

    where = "/".join(part for part in (workspace, project, run_id) if part)
    sync = VendorCommand(
        "swanlab sync", [*command, str(folder)], environment(), folder.parent, told, keeps=keeps
    )
    ended = sync.run(where)
    if ended.code or trouble:
        raise refusal(ended, list(trouble), where)
    return places[-1] if places else None
