"""Writes runs into SwanLab's cloud while they grow: each delivery uploads what came since.

`swanlab sync` goes on with a run that is there: of each key it sends the steps behind the last one,
of the console the lines behind the last one, each with its own time, and leaves a run without a
finish record running (0.10.3). So a run is authored anew each time, in the order in which its rows
came: what is behind the last step is what is new then, and a row that falls back moves on.

A run that `swanlab sync` itself made would count as crashed until it has ended. So the SDK begins
it, in a process that ends at once.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar, Self

from runferry.errors import MissingExtra
from runferry.model import Run
from runferry.ports import Limits, Location
from runferry.python_apart import command_apart
from runferry.writers.swanlab.cloud import CloudWriter, Wanted
from runferry.writers.swanlab.header import fitted
from runferry.writers.swanlab.limits import GROWING_CLOUD_LIMITS
from runferry.writers.swanlab.messages import finish
from runferry.writers.swanlab.place import place_of
from runferry.writers.swanlab.refusals import refusal
from runferry.writers.swanlab.upload import environment
from runferry.writers.upload_lock import one_upload
from runferry.writers.vendor_command import VendorCommand

_CHILD = "from runferry.writers.swanlab.growing import begin_here; begin_here()"
_NO_END = "the run never said that it ended"
_BEGUN: set[str] = set()
"""Runs that this process has begun there: a delivery opens a writer each time."""


class GrowingCloudWriter(CloudWriter):
    """Puts runs into a workspace before they have ended, and again with what came since."""

    limits: ClassVar[Limits] = GROWING_CLOUD_LIMITS

    @classmethod
    def open(cls, where: Location) -> Self:
        """Raises BadLocation, MissingExtra."""
        if find_spec("swanlab") is None:  # a command of the PATH can upload, and begin no run
            raise MissingExtra("swanlab", "swanlab")
        return super().open(where)

    @classmethod
    def conclude(cls, where: Location, runs: Sequence[Run]) -> None:
        """They count as crashed, as with `swanlab sync` a new run does that has no finish record.

        Raises what an upload raises.
        """
        writer = cls.open(where)
        try:
            for run in runs:
                if finish(run, 0) is None:
                    writer._conclude(run)
        finally:
            writer.close()

    def _conclude(self, run: Run) -> None:
        run_id = place_of(self._swanlog, run, run.uid, None).run_id
        wanted = Wanted(self._workspace, self._project, run_id)
        with one_upload(self.name, wanted.where) as keeps:
            _begin(self._swanlog, wanted, run, keeps, is_ending=True)
        _BEGUN.discard(wanted.where)

    def _shows_all(self, run: Run) -> bool:
        """What the client has of a line is not sent again when there is more of it."""
        return finish(run, 0) is not None

    def _upload(self, folder: Path, wanted: Wanted, run: Run, keeps: tuple[int, ...]) -> str | None:
        is_over = finish(run, 0) is not None
        if not is_over and wanted.where not in _BEGUN:
            _begin(folder.parent, wanted, run, keeps)
            _BEGUN.add(wanted.where)
        return super()._upload(folder, wanted, run, keeps)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What `swanlab.init` is given."""

    id: str
    workspace: str | None
    project: str
    name: str | None
    description: str | None
    group: str | None
    job_type: str | None
    tags: list[str]
    log_dir: str


def _begin(
    folder: Path, wanted: Wanted, run: Run, keeps: tuple[int, ...], *, is_ending: bool = False
) -> None:
    """Begin the run, or go on with it: so it is running, or has crashed where that is its end.

    Raises what an upload raises.
    """
    header = fitted(run)
    shown = header.run
    asked = _Asked(
        wanted.run_id,
        wanted.workspace or header.workspace or None,
        wanted.project or header.project,
        shown.name or None,
        shown.notes or None,
        shown.group or None,
        shown.job_type or None,
        list(shown.tags),
        str(folder / "begun"),
    )
    ending = [_NO_END] if is_ending else []
    command = command_apart(_CHILD, json.dumps(asdict(asked)), *ending)
    init = VendorCommand("swanlab.init", command, environment(), folder, keeps=keeps)
    ended = init.run(wanted.where)
    if ended.code:
        raise refusal(ended, [], wanted.where)


def begin_here() -> None:
    """In a process of its own, since the SDK has one run for each, takes over what is printed, and
    waits for the run's end: begin what the first argument says, and end without ending it, unless
    a second one says why it ended."""
    import os
    import sys

    import swanlab

    asked = json.loads(sys.argv[1])
    quiet = swanlab.Settings(
        interactive=False,
        probe=dict.fromkeys(
            ("hardware", "runtime", "requirements", "conda", "git", "swanlab", "monitor"), False
        ),
        terminal={"proxy_type": "none"},
    )
    swanlab.init(mode="online", resume="allow", settings=quiet, **asked)
    if len(sys.argv) > 2:
        swanlab.finish(state="crashed", error=sys.argv[2])
    sys.stdout.flush()
    os._exit(0)  # at an ordinary end the SDK would call the run finished
