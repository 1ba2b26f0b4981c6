"""What came of a transfer, for people: what moved, what was lost, what failed."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from runferry.cli.grid import Column, count, show
from runferry.cli.losses_table import show_losses
from runferry.cli.session import Session
from runferry.cli.streams import printable
from runferry.errors import ExitCode
from runferry.losses import Fate, Loss, beyond
from runferry.transfer.figures import size
from runferry.transfer.report import moved, total_losses

if TYPE_CHECKING:
    from runferry.transfer.report import (
        ConvertReport,
        Report,
        RunComparison,
        RunOutcome,
        VerifyReport,
    )

_FAILURES_SHOWN = 20
_BEYOND_SHOWN = 20


def show_report(session: Session, report: Report) -> None:
    """A pull, a plan or a push."""
    _show_phase(session, report)
    _show_outcomes(session, report.outcomes)
    _show_losses(session, report.new_losses, is_whole=_went_through(report))
    _show_earlier(session, report, report.outcomes)
    _show_beyond(session, moved(report.outcomes), report.allowed)
    _end(session, (report,), report.new_losses, report.allowed, report.exit_code)


def show_plan(session: Session, report: Report) -> None:
    """A plan: each run with the losses it will meet and those it may meet, then all of them."""
    _show_phase(session, report)
    for outcome in report.outcomes:
        if outcome.losses or outcome.possible:
            named = f"{printable(outcome.run)}  {printable(outcome.name or '')}"
            session.out.print(f"\n{named.rstrip()}")
            show_losses(session, outcome.losses)
            _show_possible(session, outcome.possible)
    if len(report.outcomes) != 1 or not (report.losses or report.possible):
        _show_losses(session, report.losses, title="altogether")
        _show_possible(session, report.possible)
    _end(session, (report,), report.losses, report.allowed, report.exit_code, report.possible)


def show_conversion(session: Session, report: ConvertReport) -> None:
    """Pull, push and verify in one."""
    _show_phase(session, report.pull)
    _show_phase(session, report.push)
    if report.verify is not None:
        _show_comparison(session, report.verify)
    if report.discarded:
        session.out.print(f"discarded {count(report.discarded, 'run')} from {report.archive}")
    _show_outcomes(session, report.push.outcomes)
    is_whole = _went_through(report.pull) and _went_through(report.push)
    _show_losses(session, report.new_losses, is_whole=is_whole)
    possible = report.push.possible if report.push.phase == "plan" else ()
    _show_possible(session, possible)
    _show_earlier(session, report.push, report.outcomes)
    _show_beyond(session, report.moved, report.push.allowed)
    if report.verify is not None:
        _show_unexpected(session, report.verify)
    for note in report.notes:
        session.out.print(f"\nnote: {note}", soft_wrap=True)
    phases = (report.pull, report.push)
    _end(session, phases, report.new_losses, report.push.allowed, report.exit_code, possible)


def show_verification(session: Session, report: VerifyReport) -> None:
    """Two places compared."""
    _show_comparison(session, report)
    _show_losses(session, report.measured, title="differences that were foretold")
    if report.excluded:
        left_out = total_losses(loss for outcome in report.excluded for loss in outcome.losses)
        _show_losses(session, left_out, title="left out")
    _show_unexpected(session, report)
    _end(session, (), report.measured, report.allowed, report.exit_code)


def _show_phase(session: Session, report: Report) -> None:
    """One phase; that of an end which is the archive itself had nothing to do."""
    if report.source == report.destination:
        return
    statuses = ", ".join(f"{n:,} {status}" for status, n in report.counts.items())
    rows = sum(outcome.rows for outcome in report.outcomes)
    blobs = sum(outcome.size_bytes for outcome in report.outcomes)
    found = [count(len(report.outcomes), "run") + (f" ({statuses})" if statuses else "")]
    if rows:
        found.append(count(rows, "row"))
    if blobs:
        found.append(f"{size(blobs)} of files")
    if report.left_out_series:
        found.append(f"{report.left_out_series:,} series left out by --metric")
    _say(session, report.phase, report.source, report.destination, ", ".join(found))


def verdict(report: VerifyReport) -> str:
    """What comparing came to, in words; one that was stopped says so, and what it saw by then."""
    if not report.runs:
        return "nothing to compare" if report.is_whole else "it ended before the first one"
    found = "clean" if all(run.is_clean for run in report.runs) else "NOT clean"
    if found == "clean" and report.measured:
        found = "clean, apart from losses that were foretold"
    return found if report.is_whole else f"{found}, and the remaining ones were not looked at"


def _show_comparison(session: Session, report: VerifyReport) -> None:
    rows = sum(run.rows for run in report.runs)
    found = f"{count(len(report.runs), 'run')}, {count(rows, 'row')} compared: {verdict(report)}"
    if report.earlier and not report.runs:
        before = count(report.earlier, "run was", "runs were")
        found = f"nothing new to compare: {before} verified before"
    if report.excluded:
        found += f"; {count(len(report.excluded), 'run')} excluded"
    _say(session, "verify", report.original, report.copy, found)


def _say(session: Session, phase: str, source: str, destination: str, found: str) -> None:
    arrow = "→" if session.can_spell("→") else "->"
    places = f"{printable(source)} {arrow} {printable(destination)}"
    session.out.print(f"{phase:<8}{places}", soft_wrap=True)
    session.out.print(f"{'':<8}{found}", soft_wrap=True)


def _show_outcomes(session: Session, outcomes: Iterable[RunOutcome]) -> None:
    """The runs that moved, if they are few."""
    shown = [outcome for outcome in moved(outcomes) if outcome.status != "failed"]
    if not shown or len(shown) > session.runs_shown:
        return
    columns = (
        Column("run", is_elastic=True),
        Column("name", is_elastic=True),
        Column("status"),
        Column("rows", "right"),
        Column("there", is_elastic=True),
    )
    rows = [(o.run, o.name or "", o.status, f"{o.rows:,}", o.remote or "") for o in shown]
    session.out.print()
    show(session.out, columns, rows, session.ellipsis)


def _went_through(report: Report) -> bool:
    """Whether every run was moved: of the others nobody knows what would have been lost."""
    return report.aborted is None and not report.failures and not report.is_interrupted


def _show_losses(
    session: Session, losses: Iterable[Loss], title: str = "losses", *, is_whole: bool = True
) -> None:
    found = list(losses)
    none = f"{title}: none" if is_whole else f"{title}: none in what was moved"
    session.out.print(f"\n{title}:" if found else f"\n{none}")
    show_losses(session, found)


def _show_possible(session: Session, losses: Iterable[Loss]) -> None:
    """What the counts of a run cannot tell: sending it, or reading it back, does."""
    found = list(losses)
    if found:
        session.out.print("possible besides:")
        show_losses(session, found, at_most=True)


def _show_earlier(session: Session, report: Report, outcomes: Iterable[RunOutcome]) -> None:
    """Where to find the losses of runs that did not move."""
    unchanged = (outcome for outcome in outcomes if outcome.status == "unchanged")
    earlier = sum(bool(beyond(outcome.losses, Fate.KEPT)) for outcome in unchanged)
    if not earlier:
        return
    source, destination = map(shlex.quote, (report.source, report.destination))
    ask = f"runferry inspect {destination}"
    if report.phase == "push" and report.source != report.destination:
        ask = f"runferry plan {source} {destination}"
    told = f"how {count(earlier, 'unchanged run')} got there is told by: {ask}"
    session.out.print(printable(told), soft_wrap=True)


def _show_beyond(session: Session, outcomes: Iterable[RunOutcome], allowed: Fate) -> None:
    """What goes beyond what was allowed: in which run, and where."""
    worse = [(o.run, loss) for o in outcomes for loss in beyond(o.losses, allowed)]
    if not worse:
        return
    columns = (
        Column("run", is_elastic=True),
        Column("fate"),
        Column("what"),
        Column("count", "right"),
        Column("where", is_elastic=True),
        Column("detail", is_elastic=True),
    )
    rows = [
        (run, loss.fate.label, loss.code, f"{loss.count:,}", loss.where, loss.detail)
        for run, loss in worse[:_BEYOND_SHOWN]
    ]
    session.out.print(f"\nbeyond what is allowed ({allowed.label}):")
    show(session.out, columns, rows, session.ellipsis)
    if len(worse) > _BEYOND_SHOWN:
        session.note(f"and {len(worse) - _BEYOND_SHOWN:,} more: see --json")


def _show_unexpected(session: Session, report: VerifyReport) -> None:
    for run in report.runs:
        if run.error is not None:
            session.complain(run.error, run.run, run.hint)
    tell_aborted(session, report.aborted, report.runs, bool(report.runs))
    unexpected = report.unexpected
    if unexpected:
        session.out.print("\ndifferences that nothing foretold:")
        show_losses(session, unexpected)
        total = sum(loss.count for loss in unexpected)
        session.complain(f"{count(total, 'difference')} that nothing foretold", report.copy)


def tell_aborted(
    session: Session,
    aborted: str | None,
    failures: Iterable[RunOutcome | RunComparison],
    is_begun: bool,
) -> None:
    """Why the rest was not tried; what was told of a run is not told again."""
    if aborted is None:
        return
    if any(f"{it.error}\n\nhint: {it.hint}" == aborted or it.error == aborted for it in failures):
        session.note("the remaining runs, if any, were not tried")
        return
    left = "the remaining runs were not tried: " if is_begun else ""
    session.complain(f"{left}{aborted}")


def _end(
    session: Session,
    reports: Iterable[Report],
    losses: Iterable[Loss],
    allowed: Fate,
    code: ExitCode,
    possible: Iterable[Loss] = (),
) -> None:
    """On stderr: what did not work, and why the exit code is not 0."""
    for report in reports:
        failures = report.failures
        for outcome in failures[:_FAILURES_SHOWN]:
            session.complain(outcome.error or "failed", outcome.run, outcome.hint)
        if len(failures) > _FAILURES_SHOWN:
            session.note(f"and {len(failures) - _FAILURES_SHOWN:,} more failures: see --json")
        tell_aborted(session, report.aborted, failures[:_FAILURES_SHOWN], bool(report.outcomes))
    if code is ExitCode.LOSS:
        _tell_beyond(session, beyond(losses, allowed), allowed)
    elif code is ExitCode.INTERRUPTED:
        session.complain("interrupted", hint="the same command again continues where it stopped")
    if more := sum(loss.count for loss in beyond(possible, allowed)):
        told = f"up to {count(more, 'possible loss', 'possible losses')}"
        session.note(
            f"note: besides {told} beyond what is allowed ({allowed.label}): moving the runs tells"
        )


def _tell_beyond(session: Session, losses: Collection[Loss], allowed: Fate) -> None:
    """How much is lost beyond what was allowed, and what would allow it."""
    fate = max((loss.fate for loss in losses), default=allowed)
    lost = count(sum(loss.count for loss in losses), "loss", "losses")
    session.complain(
        f"{lost} beyond what is allowed ({allowed.label})",
        hint=f"--allow {fate.label} accepts them",
    )
