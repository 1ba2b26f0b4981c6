"""What came of a transfer: one outcome a run, the losses, and the exit code they add up to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from runferry.errors import ExitCode, RunferryError
from runferry.losses import Fate, Loss, LossLedger, beyond
from runferry.model import Run, Uid
from runferry.redact import without_credentials

Status = Literal[
    "new",  # was not there before
    "grown",  # only what came since was moved
    "replaced",  # moved in full, in place of an earlier state
    "upgraded",  # the archive's own record of it, to a later format
    "copied",  # other content under a known key: kept beside it, as `…~2`
    "unchanged",  # nothing was moved
    "planned",  # a dry run
    "excluded",  # no run to show: it stays in the archive
    "same",  # compared, and every difference was foretold
    "differs",  # compared, and some was not
    "failed",
    "interrupted",
]

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """What became of one run in one phase."""

    uid: Uid
    run: str  # the key as people write it
    status: Status
    project: str | None = None
    name: str | None = None
    rows: int = 0  # that were moved
    size_bytes: int = 0  # of blobs that were moved
    remote: str | None = None
    losses: tuple[Loss, ...] = ()
    possible: tuple[Loss, ...] = ()  # statistics cannot tell; each count is an upper bound
    error: str | None = None
    hint: str | None = None
    cause: BaseException | None = field(default=None, compare=False, repr=False)

    @classmethod
    def of(cls, run: Run, status: Status, **rest: Any) -> RunOutcome:
        """An outcome with the names taken from the run's header."""
        return cls(run.uid, str(run.key), status, run.project, run.name, **rest)

    @classmethod
    def failure(cls, run: Run, error: BaseException) -> RunOutcome:
        """The outcome of a run that ended in this error."""
        if isinstance(error, RunferryError):
            where = f": {error.where}" if error.where else ""
            text, hint = f"{error.what}{where}", error.hint or None
        else:
            text, hint = f"{type(error).__name__}: {error}", None
        error.__cause__ = error.__context__ = None  # frames hold batches, and runs may be many
        cause = error.with_traceback(None)
        return cls.of(run, "failed", error=without_credentials(text), hint=hint, cause=cause)

    def to_json(self) -> dict[str, Any]:
        """As in the documented schema."""
        return {
            "uid": self.uid,
            "run": self.run,
            "project": self.project,
            "name": self.name,
            "status": self.status,
            "rows": self.rows,
            "size_bytes": self.size_bytes,
            "remote": self.remote,
            "losses": [loss_json(loss) for loss in self.losses],
            "possible_losses": [loss_json(loss) for loss in self.possible],
            "error": self.error,
            "hint": self.hint,
        }


def loss_json(loss: Loss) -> dict[str, Any]:
    """A loss as in the documented schema."""
    return {
        "code": loss.code,
        "fate": loss.fate.label,
        "where": loss.where,
        "count": loss.count,
        "detail": loss.detail,
    }


def total_losses(losses: Iterable[Loss]) -> tuple[Loss, ...]:
    """Added up by code and fate, worst first: what a summary shows.

    A detail that does not hold for all of them is left out.
    """
    sums = LossLedger()
    details: dict[tuple[str, Fate], set[str]] = {}
    for loss in losses:
        sums.add(Loss(loss.code, loss.fate, "", loss.count))
        details.setdefault((loss.code, loss.fate), set()).add(loss.detail)
    shared = {kind: min(found) for kind, found in details.items() if len(found) == 1}
    summed = (replace(loss, detail=shared.get((loss.code, loss.fate), "")) for loss in sums)
    return tuple(sorted(summed, key=lambda loss: (-loss.fate, loss.code)))


def in_words(losses: Iterable[Loss]) -> str:
    """In one line, by kind and worst first: `dropped 3 missing-blob, renamed 1 run-id`."""
    told = (f"{loss.fate.label} {loss.count:,} {loss.code}" for loss in total_losses(losses))
    return ", ".join(told)


def moved(outcomes: Iterable[RunOutcome]) -> tuple[RunOutcome, ...]:
    """Those whose losses are new; of what is unchanged they were told before.

    So they were of what is excluded, where all the others are unchanged.
    """
    found = tuple(outcomes)
    statuses = {outcome.status for outcome in found}
    if statuses == {"unchanged", "excluded"}:
        return ()
    return tuple(outcome for outcome in found if outcome.status != "unchanged")


class Ended:
    """What may have ended before all runs were tried."""

    __slots__ = ()
    cause: RunferryError | None
    """Why the remaining runs were not even tried."""

    @property
    def aborted(self) -> str | None:
        """`cause` in words."""
        return None if self.cause is None else str(self.cause)


@dataclass(frozen=True, slots=True)
class Report(Ended):
    """What came of pulling, planning or pushing a number of runs."""

    phase: Literal["pull", "plan", "push"]
    source: str
    destination: str
    allowed: Fate = Fate.REENCODED
    outcomes: tuple[RunOutcome, ...] = ()
    cause: RunferryError | None = None
    is_interrupted: bool = False
    left_out_series: int = 0  # by the user's own selection, which is no loss

    @property
    def counts(self) -> dict[str, int]:
        """Runs by status."""
        return dict(sorted(Counter(outcome.status for outcome in self.outcomes).items()))

    @property
    def failures(self) -> tuple[RunOutcome, ...]:
        """The runs that failed."""
        return tuple(outcome for outcome in self.outcomes if outcome.status == "failed")

    @property
    def losses(self) -> tuple[Loss, ...]:
        """Everything that was lost, added up by code and fate, worst first."""
        return total_losses(loss for outcome in self.outcomes for loss in outcome.losses)

    @property
    def new_losses(self) -> tuple[Loss, ...]:
        """The same, without what was lost when a run that is unchanged was moved."""
        return total_losses(loss for outcome in moved(self.outcomes) for loss in outcome.losses)

    @property
    def possible(self) -> tuple[Loss, ...]:
        """What moving them may lose besides, where statistics cannot tell; added up."""
        return total_losses(loss for outcome in self.outcomes for loss in outcome.possible)

    @property
    def exit_code(self) -> ExitCode:
        """Interrupted, then failed, then lossy, then done. Losses are judged when a run moves."""
        if self.is_interrupted:
            return ExitCode.INTERRUPTED
        if self.aborted is not None:
            return ExitCode.FAILED
        if self.failures:
            return ExitCode.SOME_FAILED
        return ExitCode.LOSS if beyond(self.new_losses, self.allowed) else ExitCode.DONE

    def to_json(self) -> dict[str, Any]:
        """As in the documented schema."""
        return {
            "schema": SCHEMA_VERSION,
            "phase": self.phase,
            "source": self.source,
            "destination": self.destination,
            "allowed": self.allowed.label,
            "exit_code": int(self.exit_code),
            "interrupted": self.is_interrupted,
            "aborted": self.aborted,
            "left_out_series": self.left_out_series,
            "counts": self.counts,
            "losses": [loss_json(loss) for loss in self.losses],
            "possible_losses": [loss_json(loss) for loss in self.possible],
            "runs": [outcome.to_json() for outcome in self.outcomes],
        }


@dataclass(frozen=True, slots=True)
class RunComparison:
    """What comparing every value of one run found."""

    uid: Uid
    run: str
    remote: str | None
    rows: int = 0  # that were compared
    measured: tuple[Loss, ...] = ()  # differences that a prediction or a report explains
    unexpected: tuple[Loss, ...] = ()  # differences that nothing explains
    error: str | None = None
    hint: str | None = None

    @property
    def is_clean(self) -> bool:
        """Every difference was foretold."""
        return not self.unexpected and self.error is None

    def to_json(self) -> dict[str, Any]:
        """As in the documented schema."""
        return {
            "uid": self.uid,
            "run": self.run,
            "remote": self.remote,
            "clean": self.is_clean,
            "rows": self.rows,
            "measured": [loss_json(loss) for loss in self.measured],
            "unexpected": [loss_json(loss) for loss in self.unexpected],
            "error": self.error,
            "hint": self.hint,
        }


@dataclass(frozen=True, slots=True)
class VerifyReport(Ended):
    """What comparing two places found, run by run. Law: measured ⊆ predicted ∪ reported."""

    original: str
    copy: str
    allowed: Fate = Fate.REENCODED
    runs: tuple[RunComparison, ...] = ()
    others: int = 0  # runs of the copy that belong to no run of the original
    earlier: int = 0  # runs that were found clean before, and were not compared again
    excluded: tuple[RunOutcome, ...] = ()  # runs that are not sent there
    is_interrupted: bool = False
    cause: RunferryError | None = None

    @property
    def is_whole(self) -> bool:
        """Every run was looked at."""
        return not self.is_interrupted and self.aborted is None

    @property
    def is_clean(self) -> bool:
        """Every run was found and compared, and every difference was foretold."""
        return self.is_whole and all(run.is_clean for run in self.runs)

    @property
    def new_losses(self) -> tuple[Loss, ...]:
        """All that comparing found, foretold or not."""
        return (*self.measured, *self.unexpected)

    @property
    def measured(self) -> tuple[Loss, ...]:
        """Foretold losses that were found, added up."""
        return total_losses(loss for run in self.runs for loss in run.measured)

    @property
    def unexpected(self) -> tuple[Loss, ...]:
        """Losses that nothing foretold, added up."""
        return total_losses(loss for run in self.runs for loss in run.unexpected)

    @property
    def exit_code(self) -> ExitCode:
        """Unexpected differences are a failure, foretold ones a loss."""
        if self.is_interrupted:
            return ExitCode.INTERRUPTED
        if self.aborted is not None or any(run.unexpected for run in self.runs):
            return ExitCode.FAILED
        if any(run.error for run in self.runs):
            return ExitCode.SOME_FAILED
        return ExitCode.LOSS if beyond(self.measured, self.allowed) else ExitCode.DONE

    def to_json(self) -> dict[str, Any]:
        """As in the documented schema."""
        return {
            "schema": SCHEMA_VERSION,
            "phase": "verify",
            "original": self.original,
            "copy": self.copy,
            "allowed": self.allowed.label,
            "clean": self.is_clean,
            "exit_code": int(self.exit_code),
            "interrupted": self.is_interrupted,
            "aborted": self.aborted,
            "others": self.others,
            "verified_before": self.earlier,
            "excluded": [outcome.to_json() for outcome in self.excluded],
            "measured": [loss_json(loss) for loss in self.measured],
            "unexpected": [loss_json(loss) for loss in self.unexpected],
            "runs": [run.to_json() for run in self.runs],
        }


@dataclass(frozen=True, slots=True)
class ConvertReport:
    """What came of `convert`: pull, then plan or push, then verify."""

    pull: Report
    push: Report  # a plan, when it was a dry run
    verify: VerifyReport | None = None
    discarded: int = 0  # runs that were taken out of the archive, since they were verified
    archive: str = field(default="")
    notes: tuple[str, ...] = ()  # on what the destination shows otherwise, of every run

    @property
    def outcomes(self) -> tuple[RunOutcome, ...]:
        """One a run: what came of sending it, or of pulling it where it was not sent."""
        sent = {outcome.uid for outcome in self.push.outcomes}
        unsent = (outcome for outcome in self.pull.outcomes if outcome.uid not in sent)
        return (*self.push.outcomes, *unsent)

    @property
    def aborted(self) -> str | None:
        """Why the remaining runs were not even tried, in the first phase that was ended so."""
        phases = (self.pull, self.push, self.verify)
        return next((p.aborted for p in phases if p is not None and p.aborted is not None), None)

    @property
    def losses(self) -> tuple[Loss, ...]:
        """Everything that was lost on either side, each once, added up, worst first."""
        return total_losses(loss for outcome in self.outcomes for loss in outcome.losses)

    @property
    def moved(self) -> tuple[RunOutcome, ...]:
        """One for each run that either phase moved."""
        sent = moved(self.push.outcomes)
        uids = {outcome.uid for outcome in sent}
        return (*sent, *(o for o in moved(self.pull.outcomes) if o.uid not in uids))

    @property
    def new_losses(self) -> tuple[Loss, ...]:
        """What was lost by moving, and what only comparing found, added up, worst first."""
        lost = [loss for outcome in self.moved for loss in outcome.losses]
        told = {(loss.code, loss.fate) for loss in lost}
        found = () if self.verify is None else self.verify.measured
        return total_losses([*lost, *(one for one in found if (one.code, one.fate) not in told)])

    @property
    def exit_code(self) -> ExitCode:
        """The gravest of the phases."""
        codes = [self.pull.exit_code, self.push.exit_code]
        if self.verify is not None:
            codes.append(self.verify.exit_code)
        gravity = (
            ExitCode.INTERRUPTED,
            ExitCode.USAGE,
            ExitCode.FAILED,
            ExitCode.SOME_FAILED,
            ExitCode.LOSS,
            ExitCode.DONE,
        )
        return min(codes, key=gravity.index)

    def to_json(self) -> dict[str, Any]:
        """As in the documented schema."""
        return {
            "schema": SCHEMA_VERSION,
            "phase": "convert",
            "archive": self.archive,
            "exit_code": int(self.exit_code),
            "discarded": self.discarded,
            "pull": self.pull.to_json(),
            "push": self.push.to_json(),
            "verify": None if self.verify is None else self.verify.to_json(),
            "notes": list(self.notes),
        }
