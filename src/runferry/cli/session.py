"""One call of one verb: its settings, its streams, its log, and the way it ends."""

from __future__ import annotations

import logging
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import typer

from runferry._version import VERSION
from runferry.cli import failure
from runferry.cli.pipes import ReaderGone, Unwritten
from runferry.cli.streams import console, print_json, printable, spells
from runferry.errors import BadSetting, ExitCode, RunferryError

if TYPE_CHECKING:
    from rich.console import Console

    from runferry.losses import Loss
    from runferry.settings import Resolved, Settings
    from runferry.transfer.migrations import Road
    from runferry.transfer.progress import Observer, StopToken
    from runferry.transfer.selection import Selection


log = logging.getLogger("runferry.progress")


class Result(Protocol):
    """What a transfer returns."""

    @property
    def exit_code(self) -> ExitCode:
        """What it comes to."""
        ...

    @property
    def aborted(self) -> str | None:
        """Why the remaining runs were not even tried."""
        ...

    @property
    def new_losses(self) -> tuple[Loss, ...]:
        """What was lost, or was found to be, in this call."""
        ...

    def to_json(self) -> dict[str, Any]:
        """As in the documented schema."""
        ...


@dataclass
class Session:
    """What a verb works with; what it prints goes through here."""

    resolved: Resolved
    is_json: bool = False
    verbosity: int = 0
    filters: Mapping[str, Any] = field(default_factory=dict)
    counted_as: Road | None = None
    """The migration that this is, whose progress is counted in its own way."""
    began: float = field(default_factory=time.monotonic)
    has_document: bool = False
    """A JSON document is on stdout, or begun: no other may follow."""

    @property
    def settings(self) -> Settings:
        """The settings that hold."""
        return self.resolved.settings

    @cached_property
    def selection(self) -> Selection:
        """The runs and series that the filters leave. Raises BadSetting, UsageError."""
        from runferry.transfer.selection import Selection

        def globs(name: str) -> tuple[str, ...]:
            return tuple(self.filters.get(name) or ())

        return Selection(
            projects=globs("project"),
            run_ids=globs("run"),
            tags=globs("tag"),
            metrics=globs("metric"),
            since=self._date("since"),
            until=self._date("until"),
            included=frozenset(globs("include")),
        ).toward("")

    def _date(self, name: str) -> datetime | None:
        text = self.filters.get(name)
        if text is None:
            return None
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise BadSetting(
                f"`--{name}` cannot be {text!r}: a date such as 2026-01-31 is wanted",
                where="the command line",
                hint=f"--{name} 2026-01-31",
            ) from None
        return moment if moment.tzinfo else moment.replace(tzinfo=self.settings.timezone)

    @cached_property
    def out(self) -> Console:
        """stdout, for people."""
        return console(sys.stdout, self.settings.color)

    @property
    def runs_shown(self) -> int:
        """Runs that are listed one by one after a transfer; -v lists more."""
        return 100_000 if self.verbosity > 0 else 20

    @cached_property
    def ellipsis(self) -> str:
        """What stands for letters left out."""
        return "…" if self.can_spell("…") else "..."

    def can_spell(self, text: str) -> bool:
        """Whether stdout's encoding has these characters."""
        return spells(sys.stdout, text)

    def print_json(self, document: Mapping[str, Any]) -> None:
        """The one JSON document of this call."""
        self.has_document = True
        code = document.get("exit_code")
        if code is not None:
            document = {**document, "exit_code": int(self.ending(ExitCode(code)))}
        print_json(document)

    def ending(self, code: ExitCode) -> ExitCode:
        """The exit code of what ended so: a plugin that could not be asked may have runs, too."""
        from runferry.registry import passed_over

        is_well = code in (ExitCode.DONE, ExitCode.LOSS)
        return ExitCode.SOME_FAILED if is_well and passed_over() else code

    def tell_passed_over(self) -> None:
        """Of plugins that could not be asked."""
        from runferry.registry import passed_over

        for error in passed_over():
            failure.tell(error)

    def note(self, text: str) -> None:
        """A remark on stderr, unless -q."""
        if self.verbosity >= 0:
            print(printable(text), file=sys.stderr)

    def complain(self, what: str, where: str = "", hint: str | None = None) -> None:
        """A failure on stderr that does not end the verb."""
        failure.tell(RunferryError(what, where=where, hint=hint or ""))

    def conclude(
        self, report: Result, show: Callable[[Session, Any], None], *, is_asked: bool = False
    ) -> ExitCode:
        """Prints what came of a transfer, for people or as JSON.

        With -q only its errors, unless the report is what was asked for.
        """
        from runferry.transfer.report import in_words

        log.info("losses: %s", printable(in_words(report.new_losses)) or "none")
        why = "" if report.aborted is None else f": {printable(report.aborted)}"
        took = time.monotonic() - self.began
        code = self.ending(report.exit_code)
        log.info("ended with exit code %d after %.1f s%s", code, took, why)
        if self.is_json:
            self.print_json(report.to_json())
        else:
            self.out.quiet = self.verbosity < 0 and not is_asked
            show(self, report)
        return report.exit_code

    @contextmanager
    def working(self) -> Iterator[tuple[Observer, StopToken]]:
        """What a transfer reports to and is stopped by: a bar, the log, and the signals."""
        from runferry.cli.bars import watching
        from runferry.cli.signals import stopping
        from runferry.transfer.progress import StopToken

        share_of = None
        if self.counted_as is not None:
            from runferry.transfer import migrations

            share_of = migrations.share_of(self.counted_as)
        stop = StopToken()
        with (
            watching(self.settings.color, self.verbosity, share_of) as observer,
            stopping(stop.set),
        ):
            yield observer, stop


@contextmanager
def session(given: Mapping[str, Any]) -> Iterator[Session]:
    """Opens a session from the shared options; tells a RunferryError and ends with its code."""
    from runferry import settings
    from runferry.cli.logs import logging_to

    is_json = bool(given["json"])
    try:
        flags = {name: given[name] for name in given if name in settings.PARSERS}
        resolved = settings.resolve(flags)
        settings.install(resolved.settings)
        verbosity = -1 if given["quiet"] else int(given["verbose"])
        with logging_to(resolved.settings.log_file, verbosity):
            log.info("runferry %s: %s", VERSION, printable(_own(sys.argv[1:])))
            opened = Session(resolved, is_json, verbosity, given)
            with _told(opened):
                yield opened
    except BadSetting as error:  # of the settings themselves: before there is a log or a session
        raise _ended(error, is_json) from None


def _own(words: list[str]) -> str:
    """The call without the words behind `--`: another program's, which may be given its secrets."""
    if "--" not in words:
        return shlex.join(words)
    return f"{shlex.join(words[: words.index('--')])} -- …"


@contextmanager
def _told(opened: Session) -> Iterator[None]:
    try:
        yield
        sys.stdout.flush()  # as long as there is a log
    except RunferryError as error:
        opened.tell_passed_over()
        raise _ended(error, opened.is_json and not opened.has_document) from None
    except KeyboardInterrupt:
        raise _ended(failure.Interrupted(), opened.is_json and not opened.has_document) from None
    except ReaderGone as gone:
        log.info("ended with exit code %s: nobody reads its answer any more", gone.code)
        raise
    except Unwritten as error:
        log.info("ended with exit code %s: %s: %s", error.code, error.told.what, error.told.where)
        raise


def _ended(error: RunferryError, is_json: bool) -> typer.Exit:
    failure.tell(error)
    place = f": {error.where}" if error.where else ""
    log.info("ended with exit code %d: %s", error.exit_code, printable(f"{error.what}{place}"))
    if is_json:
        print_json(failure.as_json(error))
    return typer.Exit(int(error.exit_code))
