"""`--report` and `report`: a page about a transfer, written when it has ended."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from runferry.cli.session import Session
from runferry.errors import ExitCode, RunferryError, UsageError

if TYPE_CHECKING:
    from runferry.archive.store import Archive
    from runferry.model import Run
    from runferry.pictures.told import Told, ToldRun
    from runferry.ports import Location
    from runferry.transfer.progress import Observer, Phase, StopToken
    from runferry.transfer.report import ConvertReport, Report, RunOutcome

CURVES = 24
"""Runs of which curves are drawn: each is read back once more."""


@dataclass
class Stopwatch:
    """Measures how long each phase takes, and passes on what it hears."""

    inner: Observer
    seconds: dict[str, float] = field(default_factory=dict)
    _phase: str = ""
    _begun: float = 0.0

    def phase(self, phase: Phase, runs: int | None) -> None:
        """The former phase is over."""
        self.stop()
        self._phase, self._begun = phase, time.monotonic()
        self.inner.phase(phase, runs)

    def stop(self) -> None:
        """The last phase is over."""
        if self._phase:
            spent = time.monotonic() - self._begun
            self.seconds[self._phase] = self.seconds.get(self._phase, 0.0) + spent
        self._phase = ""

    def listed(self, phase: Phase, runs: Iterable[Run]) -> None:
        """For who counts otherwise than by runs."""
        from runferry.transfer.progress import ListingObserver

        if isinstance(self.inner, ListingObserver):
            self.inner.listed(phase, runs)

    def expected(self, phase: Phase, runs: int) -> None:
        """For who counts runs before all are listed."""
        from runferry.transfer.progress import CountingObserver

        if isinstance(self.inner, CountingObserver):
            self.inner.expected(phase, runs)

    def began(self, phase: Phase, run: Run) -> None:
        """Passed on."""
        self.inner.began(phase, run)

    def advanced(self, phase: Phase, run: Run, rows: int, size_bytes: int) -> None:
        """Passed on."""
        self.inner.advanced(phase, run, rows, size_bytes)

    def ended(self, phase: Phase, outcome: RunOutcome) -> None:
        """Passed on."""
        self.inner.ended(phase, outcome)

    def waiting(self, reason: str, seconds: float) -> None:
        """Passed on."""
        self.inner.waiting(reason, seconds)


def page_path(text: str | None) -> Path | None:
    """Where the page goes. Raises UsageError before anything is moved for it."""
    if text is None:
        return None
    path = Path(text)
    if path.suffix.lower() not in (".html", ".htm"):
        named = path.with_suffix(".html") if path.name else path / "report.html"
        raise UsageError("a report is .html", where=text, hint=str(named))
    if not path.parent.is_dir():
        raise UsageError(
            "there is no such folder for the report",
            where=text,
            hint=f"mkdir -p {shlex.quote(str(path.parent))}",
        )
    return path


def write_page(
    session: Session,
    path: Path,
    told: Told,
    archive: Archive,
    destination: Location,
    stop: StopToken,
    *,
    curves: int = CURVES,
) -> bool:
    """Writes the page, a piece at a time, in place of one that was there.

    Whether that went well; if not, it is told, since what was moved is to be told all the same.
    """
    from runferry.cli.places import read_options
    from runferry.pictures.overlays import compared, rank
    from runferry.pictures.page import page

    shown: Sequence[ToldRun] = rank(told.runs)[:curves]
    drawn = compared(
        archive, destination, shown, session.selection.toward(destination.tracker),
        read_options(session), stop,
    )  # fmt: skip
    draft = path.with_name(f".{path.name}.part")
    try:
        with draft.open("w", encoding="utf-8", errors="backslashreplace") as stream:
            stream.writelines(page(told, drawn, datetime.now(UTC)))
        draft.replace(path)
    except OSError as error:
        what = f"the report cannot be written ({error.strerror})"
        session.complain(what, str(path), f"ls -ld {shlex.quote(str(path.parent))}")
        return False
    except RunferryError as error:
        session.complain(f"no report: {error.what}", error.where, error.hint)
        return False
    finally:
        draft.unlink(missing_ok=True)
    session.note(f"report: {path}")
    return True


class AskedPage:
    """The page about a transfer that `--report` asks for, where it does. Raises UsageError."""

    def __init__(self, session: Session, text: str | None) -> None:
        self._session = session
        self._path = page_path(text)
        self._is_lacking = False

    def write(
        self,
        report: Report | ConvertReport,
        watch: Stopwatch,
        archive: Archive,
        destination: Location,
        stop: StopToken,
    ) -> None:
        """Of a transfer that has ended."""
        watch.stop()
        if self._path is None:
            return
        from runferry.pictures.told import of_transfer

        told = of_transfer(report, watch.seconds, archive)
        is_written = write_page(self._session, self._path, told, archive, destination, stop)
        self._is_lacking = not is_written

    def ending(self, code: ExitCode) -> ExitCode:
        """The exit code of the transfer, where its page was to be written too."""
        return ExitCode.FAILED if code is ExitCode.DONE and self._is_lacking else code
