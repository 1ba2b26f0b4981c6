"""Uploading a run folder by the vendor's own command, `swanlab sync`.

What it says of failures (0.10.3): a wrong key, a server that cannot be reached and a project that
may not be written end it with code 1 and a traceback. What fails later (records that the server
refuses, files that are gone, the end of the run) is only a line of its output, and the code is 0.
So both are looked at. Records that it skips as repeated are told to no one but its debug log; the
folders that are uploaded here have none.
"""

from __future__ import annotations

import logging
import re
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from runferry.errors import Declined, MissingExtra
from runferry.python_apart import environment_apart
from runferry.redact import without_credentials

_log = logging.getLogger(__name__)
_LINES_KEPT: Final = 12
_TROUBLE: Final = re.compile(
    r"\|\s*ERROR\s*\||^\w*Error: |finish failed|\b(skipping|skipped|dropped|unreadable)\b"
)
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


def upload(folder: Path, run_id: str, workspace: str | None, project: str | None) -> None:
    """Upload one run, and return when all of it has arrived by what the command says.

    Its progress goes to our log. Whose key it uses and which server it means is the command's own
    affair (`swanlab login`, SWANLAB_API_KEY, SWANLAB_API_HOST). Raises Declined with its words.
    """
    command = [*vendor_command(), "sync", "--id", run_id]
    command += ["--workspace", workspace] if workspace else []
    command += ["--project", project] if project else []
    code, said, trouble = _ran([*command, str(folder)], folder.parent)
    if code or trouble:
        words = "; ".join(trouble or said) or f"exit code {code}"
        raise Declined(
            f"swanlab sync did not upload the run: {words}",
            where="/".join(part for part in (workspace, project, run_id) if part),
            hint="see what it says; run folders are swanlab:./FOLDER",
        )


def _ran(command: Sequence[str], home: Path) -> tuple[int, list[str], list[str]]:
    """Exit code, last lines, and the lines that tell of trouble."""
    said: deque[str] = deque(maxlen=_LINES_KEPT)
    trouble: deque[str] = deque(maxlen=_LINES_KEPT)
    others = {name: value for name, value in environment_apart().items() if name not in _NOT_OURS}
    with subprocess.Popen(
        command,
        env={**others, "COLUMNS": _WIDE, "PYTHONIOENCODING": "utf-8"},
        cwd=home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                told = without_credentials(line.strip())
                if not told:
                    continue
                said.append(told)
                _log.info("swanlab sync: %s", told)
                if _TROUBLE.search(told) and not _LINK.search(told):
                    trouble.append(told)
        except BaseException:
            process.terminate()
            raise
    return process.returncode, list(said), list(trouble)
