"""What a report page tells, from a transfer that has just ended or from what an archive records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Literal

from runferry.errors import ArchiveError, ExitCode
from runferry.losses import Fate, Loss, beyond
from runferry.model import Run, Uid
from runferry.ports import Location
from runferry.redact import without_credentials
from runferry.transfer.destination import ledger_key
from runferry.transfer.push import selected_headers
from runferry.transfer.report import ConvertReport, Report, RunOutcome, VerifyReport
from runferry.transfer.selection import Selection
from runferry.transfer.staying import parted
from runferry.transfer.trip import is_of

if TYPE_CHECKING:
    from runferry.archive.store import Archive

Verdict = Literal["same", "foretold", "differs", "before", "no"]
"""What comparing found: equal, different as foretold, otherwise different, compared before, none.
"""


@dataclass(frozen=True, slots=True)
class ToldRun:
    """One run: what became of it, and what was lost."""

    uid: Uid
    run: str
    status: str
    name: str = ""
    project: str = ""
    rows: int = 0
    size_bytes: int = 0
    remote: str = ""
    losses: tuple[Loss, ...] = ()
    unexpected: tuple[Loss, ...] = ()
    verdict: Verdict = "no"
    error: str = ""
    hint: str = ""
    possible: tuple[Loss, ...] = ()
    """Of a plan, what its counts cannot tell: each is the most that there can be."""


@dataclass(frozen=True, slots=True)
class ToldPhase:
    """One phase: from where to where, runs by status, what moved, how long it took."""

    name: str
    source: str
    destination: str
    counts: Mapping[str, int]
    rows: int = 0
    size_bytes: int = 0
    seconds: float | None = None
    aborted: str = ""


@dataclass(frozen=True, slots=True)
class Holdings:
    """What the runs hold altogether, as the archive counts it."""

    runs: int = 0
    series: int = 0
    points: int = 0
    files: int = 0
    artifacts: int = 0


@dataclass(frozen=True, slots=True)
class LossKind:
    """All losses of one code and fate: how many, in how many runs, where, and why."""

    code: str
    fate: Fate
    count: int
    runs: int
    places: tuple[tuple[str, int], ...]  # the most frequent first
    more_places: int
    details: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """All that the page says, apart from its curves."""

    source: str
    destination: str
    allowed: Fate
    exit_code: ExitCode | None  # None: from the archive's record, which has none
    phases: tuple[ToldPhase, ...]
    runs: Sequence[ToldRun]
    holdings: Holdings = field(default_factory=Holdings)
    notes: tuple[str, ...] = ()
    others: int | None = None  # runs of the destination that belong to none of ours
    is_verified: bool = False  # something was compared in this call

    @property
    def failures(self) -> Iterator[ToldRun]:
        """The runs that ended in an error."""
        return (run for run in self.runs if run.error)

    @property
    def beyond(self) -> bool:
        """Whether something was lost that was not allowed, or by a plan may be."""
        return any(beyond((*run.losses, *run.possible), self.allowed) for run in self.runs)

    @property
    def ending(self) -> ExitCode:
        """How a call ends that only tells: a run that is not there in whole counts as failed."""
        if self.exit_code is not None:
            return self.exit_code
        if any(run.error or run.status in UNSENT for run in self.runs):
            return ExitCode.SOME_FAILED
        return ExitCode.LOSS if self.beyond else ExitCode.DONE


_PLACES = 12
_DETAILS = 4


def loss_kinds(
    runs: Iterable[ToldRun], which: Literal["losses", "possible", "unexpected"] = "losses"
) -> list[LossKind]:
    """Losses added up by code and fate, worst first, with where and why they came."""
    counts: dict[tuple[Fate, str], int] = {}
    held: dict[tuple[Fate, str], set[str]] = {}
    places: dict[tuple[Fate, str], dict[str, int]] = {}
    details: dict[tuple[Fate, str], dict[str, int]] = {}
    for run in runs:
        of = {"losses": run.losses, "possible": run.possible, "unexpected": run.unexpected}
        for loss in of[which]:
            kind = (loss.fate, loss.code)
            counts[kind] = counts.get(kind, 0) + loss.count
            held.setdefault(kind, set()).add(run.uid)
            for found, word in ((places, loss.where), (details, loss.detail)):
                sums = found.setdefault(kind, {})
                if word:
                    sums[word] = sums.get(word, 0) + loss.count
    kinds = []
    for fate, code in sorted(counts, key=lambda kind: (-kind[0], kind[1])):
        kind = (fate, code)
        ranked = sorted(places[kind].items(), key=lambda item: (-item[1], item[0]))
        reasons = sorted(details[kind], key=lambda text: -details[kind][text])
        kinds.append(
            LossKind(
                code,
                fate,
                counts[kind],
                len(held[kind]),
                tuple(ranked[:_PLACES]),
                max(0, len(ranked) - _PLACES),
                tuple(reasons[:_DETAILS]),
            )
        )
    return kinds


def of_transfer(
    report: Report | ConvertReport, seconds: Mapping[str, float], archive: Archive
) -> Told:
    """What has just ended; `seconds` by phase."""
    held = holdings_of(archive, (outcome.uid for outcome in report.outcomes))
    if isinstance(report, Report):
        return of_push(report, seconds, held)
    return of_conversion(report, seconds, held)


def of_conversion(report: ConvertReport, seconds: Mapping[str, float], holdings: Holdings) -> Told:
    """Pull, push and verify, or a dry run."""
    phases = [_phase(part, seconds) for part in (report.pull, report.push) if _is_real(part)]
    if report.verify is not None:
        phases.append(_verify_phase(report.verify, seconds))
    return Told(
        source=report.pull.source,
        destination=report.push.destination,
        allowed=report.push.allowed,
        exit_code=report.exit_code,
        phases=tuple(phases),
        runs=_runs(report.outcomes, report.verify),
        holdings=holdings,
        notes=report.notes,
        others=None if report.verify is None else report.verify.others,
        is_verified=report.verify is not None,
    )


def of_push(report: Report, seconds: Mapping[str, float], holdings: Holdings) -> Told:
    """A push alone, or what it would do."""
    return Told(
        source=report.source,
        destination=report.destination,
        allowed=report.allowed,
        exit_code=report.exit_code,
        phases=(_phase(report, seconds),),
        runs=_runs(report.outcomes, None),
        holdings=holdings,
    )


def _is_real(report: Report) -> bool:
    """Of an end that is the archive itself there is nothing to tell."""
    return report.source != report.destination


def _phase(report: Report, seconds: Mapping[str, float]) -> ToldPhase:
    return ToldPhase(
        report.phase,
        report.source,
        report.destination,
        report.counts,
        sum(outcome.rows for outcome in report.outcomes),
        sum(outcome.size_bytes for outcome in report.outcomes),
        seconds.get(report.phase),
        report.aborted or "",
    )


def _verify_phase(report: VerifyReport, seconds: Mapping[str, float]) -> ToldPhase:
    counts = {"same": 0, "differs": 0}
    for run in report.runs:
        counts["same" if run.is_clean else "differs"] += 1
    return ToldPhase(
        "verify",
        report.original,
        report.copy,
        {status: n for status, n in counts.items() if n},
        sum(run.rows for run in report.runs),
        0,
        seconds.get("verify"),
        report.aborted or "",
    )


def _runs(outcomes: Iterable[RunOutcome], verified: VerifyReport | None) -> list[ToldRun]:
    compared = {} if verified is None else {run.uid: run for run in verified.runs}
    told = []
    for outcome in outcomes:
        found = compared.get(outcome.uid)
        verdict: Verdict = "no"
        if found is not None:
            verdict = "foretold" if found.measured else "same"
            verdict = verdict if found.is_clean else "differs"
        elif verified is not None and outcome.status == "unchanged":
            verdict = "before"
        error = outcome.error or (found.error if found else None) or ""
        hint = outcome.hint or (found.hint if found else None) or ""
        told.append(
            ToldRun(
                outcome.uid,
                outcome.run,
                outcome.status,
                outcome.name or "",
                outcome.project or "",
                outcome.rows,
                outcome.size_bytes,
                outcome.remote or "",
                outcome.losses,
                found.unexpected if found else (),
                verdict,
                error,
                hint,
                outcome.possible if outcome.status == "planned" else (),
            )
        )
    return told


_STAGES = {"created": "half sent", "sending": "half sent", "sealed": "sent", "verified": "sent"}

UNSENT = ("not sent", "half sent", "grown since")
"""What an archive's record says of runs of which something is still to be sent."""


def of_record(archive: Archive, destination: Location, selection: Selection, allowed: Fate) -> Told:
    """What the archive's ledger knows of the way to a destination."""
    key = ledger_key(destination)
    where = str(Location("archive", str(archive.path)))
    headers = selection.some(partial(selected_headers, archive), where)
    counting, excluded = parted(archive, headers, destination, selection)
    runs = [_recorded(archive, header, key) for header in counting] + _runs(excluded, None)
    counts = Counter(told.status for told in runs)
    rows = sum(told.rows for told in runs if told.status == "sent")
    return Told(
        source=where,
        destination=str(destination),
        allowed=allowed,
        exit_code=None,
        phases=(ToldPhase("push", where, str(destination), counts, rows),),
        runs=runs,
        holdings=holdings_of(archive, (run.uid for run in runs)),
        is_verified=any(run.verdict == "before" for run in runs),
    )


def _recorded(archive: Archive, header: Run, key: str) -> ToldRun:
    try:
        record = archive.record(header.uid)
    except ArchiveError as error:
        text = without_credentials(error.what)
        return ToldRun(header.uid, str(header.key), "failed", error=text, hint=error.hint)
    delivery = archive.ledger.get(header.uid, key)
    losses = () if record is None else record.losses
    rows = 0 if record is None else sum(item.rows for item in record.sums.values())
    status = "not sent" if delivery is None else _STAGES[delivery.stage]
    if delivery is not None and record is not None and not is_of(delivery, record):
        status = "grown since" if status == "sent" else status
    is_verified = delivery is not None and delivery.stage == "verified" and status == "sent"
    return ToldRun(
        header.uid,
        str(header.key),
        status,
        header.name or "",
        header.project or "",
        rows,
        remote="" if delivery is None else delivery.remote,
        losses=losses if delivery is None else delivery.losses,
        verdict="before" if is_verified else "no",
    )


def holdings_of(archive: Archive, uids: Iterable[Uid]) -> Holdings:
    """What these runs hold altogether; those that cannot be read, or are gone, do not count."""
    runs = series = points = files = artifacts = 0
    for uid in uids:
        try:
            record = archive.record(uid)
        except ArchiveError:
            continue  # it is told among the failures
        if record is None:
            continue
        runs += 1
        points += record.sums["points"].rows if "points" in record.sums else 0
        series += len(archive.snapshot(record, "series"))
        files += len(archive.snapshot(record, "files"))
        artifacts += len(archive.snapshot(record, "artifacts"))
    return Holdings(runs, series, points, files, artifacts)
