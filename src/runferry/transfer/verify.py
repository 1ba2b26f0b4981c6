"""Reads a destination back and compares every value. Law: measured ⊆ predicted ∪ reported."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from runferry.errors import NotFound
from runferry.http.waits import waiting_by
from runferry.losses import Fate, Loss
from runferry.model import Run
from runferry.ports import Limits, Location, Reader, ReadOptions
from runferry.registry import ARCHIVE
from runferry.registry import reader as reader_class
from runferry.transfer.crew import Crew
from runferry.transfer.destination import ledger_key, limits_at
from runferry.transfer.measure import Measuring, Pairs
from runferry.transfer.neighbours import Neighbours, OpenReader
from runferry.transfer.patience import pause_by
from runferry.transfer.plan import plan
from runferry.transfer.progress import Interrupted, ListingObserver, Observer, Silent, StopToken
from runferry.transfer.pull import pull
from runferry.transfer.push import selected_headers
from runferry.transfer.report import Report, RunComparison, RunOutcome, VerifyReport
from runferry.transfer.selection import EVERYTHING, Selection
from runferry.transfer.space import RESERVE_BYTES
from runferry.transfer.staying import parted

if TYPE_CHECKING:
    from runferry.archive.ledger import Stage
    from runferry.archive.store import Archive


def verify(
    original: Location,
    copy: Location,
    *,
    options: ReadOptions | None = None,
    selection: Selection = EVERYTHING,
    workers: int = 1,
    allow: Fate = Fate.REENCODED,
    reserve_bytes: int = RESERVE_BYTES,
    observer: Observer | None = None,
    stop: StopToken | None = None,
) -> VerifyReport:
    """Compare every value of the original's runs with what the copy gives back.

    Every run of the original must be in the copy, but for those that are not sent there; the copy
    may hold others. The original is read from its archive, or pulled into a temporary one. Raises
    what opening either side raises.
    """
    observer, stop = observer or Silent(), stop or StopToken()
    options = options or ReadOptions()
    pulling = partial(
        pull,
        options=options,
        selection=selection,
        workers=workers,
        reserve_bytes=reserve_bytes,
        observer=observer,
        stop=stop,
    )
    with _archive_of(original, pulling) as (archive, pulled):
        if pulled is not None:
            selection = selection.of_runs(frozenset(run.uid for run in pulled.outcomes))
        report = verify_archive(
            archive,
            copy,
            options=options,
            selection=selection,
            workers=workers,
            allow=allow,
            observer=observer,
            stop=stop,
        )
    return _after(pulled, replace(report, original=str(original)))


@contextmanager
def _archive_of(
    place: Location, pulling: Callable[[Location, Archive], Report]
) -> Iterator[tuple[Archive, Report | None]]:
    from runferry.archive.store import Archive

    if place.tracker == ARCHIVE:
        yield Archive.open(place.path), None
        return
    with tempfile.TemporaryDirectory(prefix="runferry-") as folder:
        archive = Archive.open(Path(folder, "archive"), create=True)
        yield archive, pulling(place, archive)


def _after(pulled: Report | None, report: VerifyReport) -> VerifyReport:
    """What went wrong with reading the original makes the comparison incomplete."""
    if pulled is None:
        return report
    return replace(
        report,
        runs=(*map(_failed, pulled.failures), *report.runs),
        cause=pulled.cause or report.cause,
        is_interrupted=pulled.is_interrupted or report.is_interrupted,
    )


def _failed(outcome: RunOutcome) -> RunComparison:
    """Of a run that could not be compared."""
    return RunComparison(
        outcome.uid, outcome.run, outcome.remote, error=outcome.error, hint=outcome.hint
    )


def verify_archive(
    archive: Archive,
    copy: Location,
    *,
    options: ReadOptions | None = None,
    selection: Selection = EVERYTHING,
    workers: int = 1,
    allow: Fate = Fate.REENCODED,
    stages: tuple[Stage, ...] | None = None,
    observer: Observer | None = None,
    stop: StopToken | None = None,
    open_reader: OpenReader | None = None,
    limits: Limits | None = None,
) -> VerifyReport:
    """The same, for an archive at hand; what is clean is noted in its ledger as verified.

    With `stages`, only runs that the ledger knows to have got that far are compared.
    """
    observer, stop = observer or Silent(), stop or StopToken()
    selection = selection.toward(copy.tracker)
    if open_reader is None:
        kind, read_options = reader_class(copy.tracker), options or ReadOptions()
        open_reader = lambda: kind.open(copy, read_options)  # noqa: E731
    where = str(Location(ARCHIVE, str(archive.path)))
    selected = selection.some(partial(selected_headers, archive), where)
    headers, earlier = _staged(archive, selected, ledger_key(copy), stages or ())
    observer.phase("verify", len(headers))
    if isinstance(observer, ListingObserver):
        observer.listed("verify", headers)
    pairs = Pairs({}, {}, 0)
    with closing(Neighbours(open_reader)) as readers:
        try:
            with waiting_by(pause_by(stop, observer)):
                pairs = _pairs(archive, headers, copy, selection, readers.open, stop)
        except Interrupted:
            headers = []  # nothing is compared, and the report says why
        headers, excluded = parted(archive, headers, copy, selection, pairs.by_uid)
        for outcome in excluded:
            observer.ended("verify", outcome)
        measuring = Measuring(archive, selection, pairs.ids, observer, stop)
        verifying = _Verify(archive, ledger_key(copy), limits or limits_at(copy), pairs, measuring)
        crew = Crew[Reader, Run](
            "verify", readers.open, header=lambda run: run, observer=observer, stop=stop,
            workers=workers,
        )  # fmt: skip
        outcomes = crew.run(headers, verifying.one) if headers else ()
    return VerifyReport(
        original=where,
        copy=str(copy),
        allowed=allow,
        runs=tuple(verifying.told_of((*outcomes, *excluded))),
        others=pairs.others,
        earlier=earlier,
        excluded=tuple(outcome for outcome in excluded if outcome.status == "excluded"),
        is_interrupted=crew.is_interrupted,
        cause=crew.aborted,
    )


def _staged(
    archive: Archive, runs: list[Run], destination: str, stages: Sequence[Stage]
) -> tuple[list[Run], int]:
    """Those that have got so far, as the ledger knows, and how many others were verified before.

    Without stages it is all of them.
    """
    if not stages:
        return runs, 0
    found: dict[Stage | None, list[Run]] = {}
    for run in runs:
        delivery = archive.ledger.get(run.uid, destination)
        found.setdefault(None if delivery is None else delivery.stage, []).append(run)
    earlier = () if "verified" in stages else found.get("verified", ())
    return [run for stage in stages for run in found.get(stage, ())], len(earlier)


def _pairs(
    archive: Archive,
    headers: list[Run],
    copy: Location,
    selection: Selection,
    open_reader: OpenReader,
    stop: StopToken,
) -> Pairs:
    """What the copy has of these runs. Raises Interrupted, and what its reader raises."""
    if not headers:
        return Pairs({}, {}, 0)
    try:
        return Pairs.of(open_reader, headers, stop)
    except NotFound:
        if parted(archive, headers, copy, selection)[0]:
            raise  # else nothing was to be there
        return Pairs({}, {}, 0)


@dataclass
class _Verify:
    archive: Archive
    destination: str
    limits: Limits
    pairs: Pairs
    measuring: Measuring
    comparisons: list[RunComparison] = field(default_factory=list)

    def one(self, reader: Reader, run: Run) -> RunOutcome:
        """Compare one run with what the destination gives back."""
        found = self.pairs.by_uid.get(run.uid, ())
        if not found:
            lost = Loss("run", Fate.DROPPED, "", 1, "the run is not there")
            return self._said(run, RunComparison(run.uid, str(run.key), None, unexpected=(lost,)))
        record = self.archive.record(run.uid)
        if record is None:
            raise NotFound("the run left the archive while it was compared", where=str(run.key))
        sent = self.measuring.sent(record)
        planned = plan(sent, self.limits)
        delivery = self.archive.ledger.get(run.uid, self.destination)
        reported = () if delivery is None else delivery.losses
        comparison = self.measuring.compare(reader, record, found, sent, planned, reported)
        if comparison.is_clean and delivery is not None and delivery.stage == "sealed":
            self.archive.ledger.put(replace(delivery, stage="verified"))
        return self._said(run, comparison)

    def told_of(self, outcomes: Iterable[RunOutcome]) -> Iterator[RunComparison]:
        """What is to be said of each run that was not left out; one that failed says why."""
        compared = {comparison.uid: comparison for comparison in self.comparisons}
        for outcome in outcomes:
            if outcome.status not in ("interrupted", "excluded"):
                yield compared.get(outcome.uid) or _failed(outcome)

    def _said(self, run: Run, comparison: RunComparison) -> RunOutcome:
        self.comparisons.append(comparison)
        return RunOutcome.of(
            run,
            "same" if comparison.is_clean else "differs",
            rows=comparison.rows,
            remote=comparison.remote,
            losses=(*comparison.measured, *comparison.unexpected),
        )
