"""What SwanLab's local dashboard is shown of what is added to a run that it lists.

    <log dir>/runs.swanlab          rows behind those of the run's own client
    <log dir>/<run folder>/
        logs/<uid>-<n>/             values of a key; its client calls the folders of its own 1, 2, …
        media/<uid>-<n>/            links to its media

A run's rows come in one transaction when its files are there: until then nobody sees those.
"""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from runferry.dialects.swanlab.names import CONSOLE, DATABASE, LOGS, MEDIA
from runferry.errors import Refused
from runferry.model import Run, Uid
from runferry.writers.swanlab.dashboard import CONSOLE_NAME, DashboardLogs, Tag
from runferry.writers.swanlab.dashboard_database import add_in_dashboard, other_names

_ERRORS: Final = "error.log"
"""Beside the lines: with what a run has ended."""


class AdoptedDashboard:
    """The dashboard of one run folder; `is_expected` where its client has listed it."""

    def __init__(self, folder: Path, *, is_expected: bool) -> None:
        self._folder = folder
        self._is_expected = is_expected

    def names_beside(self, uid: Uid) -> set[str] | None:
        """Keys that it lists but those of this run; None where it does not list the folder.

        Raises Refused where it has forgotten it, Declined for a database that cannot be read.
        """
        names = other_names(self._folder.parent, self._folder.name, _label(uid))
        if names is None and self._is_expected:
            raise Refused(
                "SwanLab's dashboard does not list this run any more, and takes nothing for it",
                where=str(self._folder.parent / DATABASE),
                hint="bring the file back, then run the command again; or send them to another"
                f" place, {shlex.quote(f'swanlab:{self._folder.parent}')} for runs of their own",
            )
        return names

    @property
    def has_lines(self) -> bool:
        """Whether its client has written lines for it."""
        written = (self._folder / CONSOLE).glob("*.log")
        return any(path.name not in (CONSOLE_NAME, _ERRORS) for path in written)

    def stage(self, made: Path, log: Path, uid: Uid) -> list[Tag]:
        """Make its files of a log, in the folder `made`."""
        return DashboardLogs(made, log, _label(uid)).write()

    def put(self, made: Path, run: Run, uid: Uid, tags: Sequence[Tag]) -> None:
        """List the keys of which `made` has the files, and forget others of this run."""
        add_in_dashboard(self._folder.parent, self._folder.name, run, _label(uid), tags)
        for name in (LOGS, MEDIA):
            for there in (self._folder / name).glob(f"{_label(uid)}*"):
                kept = made / name / there.name
                if not kept.is_dir():
                    shutil.rmtree(there)
                    continue
                for path in there.iterdir():
                    if not (kept / path.name).exists():
                        with suppress(FileNotFoundError):
                            path.unlink()


def _label(uid: Uid) -> str:
    """What the folders of a run's keys begin with."""
    return f"{uid}-"
