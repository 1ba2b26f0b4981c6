"""Source into archive: one run at a time a worker (`puller`, `workplaces`)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from runferry.errors import Locked
from runferry.http.waits import waiting_by
from runferry.losses import Fate
from runferry.model import Run
from runferry.ports import CountingReader, Location, Reader, ReadOptions, SharingReader
from runferry.registry import ARCHIVE, opened
from runferry.registry import reader as reader_class
from runferry.transfer.crew import Crew
from runferry.transfer.destination import check_apart
from runferry.transfer.patience import pause_by
from runferry.transfer.progress import (
    CountingObserver,
    Interrupted,
    Observer,
    Silent,
    StopToken,
)
from runferry.transfer.puller import Pulled, Puller
from runferry.transfer.report import Report, RunOutcome
from runferry.transfer.same_key import Families
from runferry.transfer.selection import EVERYTHING, Selection
from runferry.transfer.space import RESERVE_BYTES, check_space, check_writable
from runferry.transfer.workplaces import Workplace, Workplaces

if TYPE_CHECKING:
    from runferry.archive.store import Archive

OpenReader = Callable[[], Reader]
_log = logging.getLogger(__name__)

_LOCKED_PATIENCE = (0.05, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0)


def pull(
    source: Location,
    archive: Archive,
    *,
    options: ReadOptions | None = None,
    selection: Selection = EVERYTHING,
    workers: int = 1,
    allow: Fate = Fate.REENCODED,
    reserve_bytes: int = RESERVE_BYTES,
    observer: Observer | None = None,
    stop: StopToken | None = None,
    open_reader: OpenReader | None = None,
) -> Report:
    """Bring every selected run of the source into the archive; what is there already stays put.

    Raises what opening the source raises, and NoSpace; the failure of one run is an outcome.
    """
    observer, stop = observer or Silent(), stop or StopToken()
    check_apart(source, Location(ARCHIVE, str(archive.path)))
    if open_reader is None:
        reader_class(source.tracker)  # an unknown one is said before anything else
        read_options = options or ReadOptions()
        open_reader = lambda: opened(source, read_options)  # noqa: E731
    check_writable(archive.path)
    check_space(archive.path, source, reserve_bytes)
    observer.phase("pull", None)
    pulling = _Pull(stop)
    puller = Puller(archive, selection, observer, stop)
    report = Report(
        phase="pull",
        source=str(source),
        destination=str(Location("archive", str(archive.path))),
        allowed=allow,
    )
    try:
        with waiting_by(pause_by(stop, observer)):
            lister = open_reader()
    except Interrupted:
        return replace(report, is_interrupted=True)
    beside = lister.beside if isinstance(lister, SharingReader) else open_reader
    try:
        with Workplaces(puller, beside, workers) as workplaces:
            crew = Crew[Workplace, Run](
                "pull",
                workplaces.open,
                header=lambda run: run,
                observer=observer,
                stop=stop,
                workers=workers,
            )
            outcomes = crew.run(_selected(lister, selection, str(source), observer), pulling.one)
        if not crew.is_interrupted and crew.aborted is None:
            selection.check_found(bool(outcomes), str(source), lambda one: one.runs_of(lister))
    finally:
        lister.close()
    return replace(
        report,
        outcomes=outcomes,
        cause=crew.aborted,
        is_interrupted=crew.is_interrupted,
        left_out_series=pulling.left_out,
    )


def _selected(
    lister: Reader, selection: Selection, where: str, observer: Observer
) -> Iterator[Run]:
    """Asked for the first time by the crew, which can be stopped while the source is waited for.

    Of several projects that were asked for, those without a run are warned about; where none has
    one, that is an error of the whole. Where runs were asked for by more than their project, a
    project may well have others.
    """
    missed = set(selection.projects)
    for run in _counted(lister, selection.runs_of(lister), observer):
        missed -= {glob for glob in missed if replace(EVERYTHING, projects=(glob,)).takes_run(run)}
        yield run
    words = "no selected run" if selection.narrows_projects else "no run"
    if len(missed) < len(selection.projects):
        for glob in selection.projects:
            if glob in missed:
                _log.warning("%s: %s in a project %s: left out", where, words, glob)


def _counted(lister: Reader, runs: Iterator[Run], observer: Observer) -> Iterator[Run]:
    """The same runs; how many there will be is told as soon as the source has said it."""
    if not (isinstance(lister, CountingReader) and isinstance(observer, CountingObserver)):
        yield from runs
        return
    told: int | None = None
    for run in runs:
        if lister.expected != told and lister.expected is not None:
            told = lister.expected
            observer.expected("pull", told)
        yield run


@dataclass
class _Pull:
    stop: StopToken
    families: Families = field(default_factory=Families)
    left_out: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def one(self, workplace: Workplace, run: Run) -> RunOutcome:
        """Bring one run up to date."""
        with self.families.of(run.key):
            pulled = self._patiently(workplace, run)
        with self.lock:
            self.left_out += pulled.left_out
        return pulled.outcome

    def _patiently(self, workplace: Workplace, run: Run) -> Pulled:
        for pause in _LOCKED_PATIENCE:
            try:
                return workplace.update(run)
            except Locked:  # another process pulls this run; what it commits may be all of it
                if self.stop.wait(pause):
                    raise Interrupted from None
        return workplace.update(run)
