"""Every error that runferry raises on purpose, and the exit code each stands for.

RunferryError(what, where, hint)
├── SourceError      the place that is read from
│   ├── NotFound         nothing there, or nothing we recognise
│   ├── Damaged          bytes that cannot be read on from; knows its offset
│   ├── UnknownVersion   a format version we refuse to guess at
│   └── SourceChanged    what was read before is no longer a prefix of what is there
├── TargetError      the place that is written to
│   ├── Refused          the destination will not hold this
│   ├── Conflict         somebody else's run stands where ours should go
│   ├── RunMissing       the destination said: no such run
│   └── PlanChanged      the plan on resume is not the plan that was begun
├── ServiceError     a server between us and the data
│   ├── AuthFailed
│   ├── Throttled        retried after a pause
│   ├── Unreachable      retried
│   └── Declined         answered, and the answer is no; knows its HTTP status
├── ArchiveError     the archive folder
│   ├── Locked           another process holds it
│   ├── NewerFormat      written by a later runferry
│   ├── OlderFormat      written by an earlier one, and not upgraded since
│   ├── Corrupt          its bytes do not match their record
│   └── NoSpace          the disk is full, or would be
└── UsageError       the call itself
    ├── MissingExtra     an optional package is not installed
    ├── BadLocation      a location that cannot be understood
    ├── BadPlugin        another package's reader or writer does not load, is none, or fails
    └── BadSetting       a setting, flag or variable with an impossible value
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from runferry.redact import without_credentials


class ExitCode(IntEnum):
    """What the process says when it ends."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    LOSS = 3  # loss beyond what was allowed
    SOME_FAILED = 4
    INTERRUPTED = 130
    READER_GONE = 141  # of stdout; as a shell says it of a program that SIGPIPE ended


class RunferryError(Exception):
    """What failed, on which thing, where; and what the user can do about it.

    `what` is one sentence without a final full stop, `where` a path, location or run (empty when
    `what` names it already), `hint` a command or an action. Credentials are taken out of all three.
    """

    exit_code = ExitCode.FAILED

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        self.what = without_credentials(what)
        self.where = without_credentials(where, is_location=True)
        self.hint = without_credentials(hint)
        super().__init__(self.what, self.where, self.hint)

    def __reduce__(self) -> tuple[Any, ...]:
        # as it is, for another process: not every kind can be made anew from `args`
        return _restored, (type(self), self.args, self.__dict__)

    def __str__(self) -> str:
        place = f": {self.where}" if self.where else ""
        hint = f"\n\nhint: {self.hint}" if self.hint else ""
        return f"{self.what}{place}{hint}"


def _restored(kind: type[RunferryError], args: Any, state: dict[str, Any]) -> RunferryError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


class SourceError(RunferryError):
    """The place that is read from."""


class NotFound(SourceError):  # noqa: N818  the field's words, not the suffix
    """Nothing is there, or nothing that a reader recognises."""


class Damaged(SourceError):  # noqa: N818
    """Bytes that cannot be read on from; `offset` is where reading stopped, if anybody knows."""

    def __init__(
        self, what: str, *, where: str = "", hint: str = "", offset: int | None = 0
    ) -> None:
        place = "" if offset is None else f" at byte {offset:,}"
        super().__init__(f"{what}{place}", where=where, hint=hint)
        self.offset = offset


class UnknownVersion(SourceError):  # noqa: N818
    """A format version that nobody has taught us; guessing would invent data."""


class SourceChanged(SourceError):  # noqa: N818
    """A cursor does not fit: what was read before is no longer a prefix of what is there now."""


class TargetError(RunferryError):
    """The place that is written to."""


class Refused(TargetError):  # noqa: N818
    """The destination will not hold this."""


class Conflict(TargetError):  # noqa: N818
    """Something that is not ours stands where ours should go."""


class RunMissing(TargetError):  # noqa: N818
    """The destination said that it has no such run."""


class PlanChanged(TargetError):  # noqa: N818
    """A half-sent run was begun under another plan; continuing would mix the two."""


class ServiceError(RunferryError):
    """A server between us and the data."""


class AuthFailed(ServiceError):  # noqa: N818
    """The server does not accept our credentials."""


class Throttled(ServiceError):  # noqa: N818
    """The server asks us to wait `after` seconds; retried, and raised when patience ends."""

    def __init__(self, what: str, *, where: str = "", hint: str = "", after: float = 0.0) -> None:
        super().__init__(what, where=where, hint=hint)
        self.after = after


class Unreachable(ServiceError):  # noqa: N818
    """No answer, or a server error; retried, and raised when patience ends.

    Where nothing `has_answered` at that address, ever, patience was short and has ended.
    """

    def __init__(
        self, what: str, *, where: str = "", hint: str = "", has_answered: bool = True
    ) -> None:
        super().__init__(what, where=where, hint=hint)
        self.has_answered = has_answered


class Declined(ServiceError):  # noqa: N818
    """The server answered that it will not: never retried, since it would say the same again.

    `status` is the HTTP status, `code` the server's own word for the reason (may be empty).
    """

    def __init__(
        self, what: str, *, where: str = "", hint: str = "", status: int = 0, code: str = ""
    ) -> None:
        super().__init__(what, where=where, hint=hint)
        self.status = status
        self.code = code


class ArchiveError(RunferryError):
    """The archive folder."""


class Locked(ArchiveError):  # noqa: N818
    """Another process is writing here."""


class NewerFormat(ArchiveError):  # noqa: N818
    """Written by a later runferry than this one."""


class OlderFormat(ArchiveError):  # noqa: N818
    """Written by an earlier runferry, or an upgrade of it was begun and not ended."""


class Corrupt(ArchiveError):  # noqa: N818
    """The bytes of a file do not match what its commit record says of them."""


class NoSpace(ArchiveError):  # noqa: N818
    """The disk is full, or would be before the work is done."""


class UsageError(RunferryError):
    """The call itself."""

    exit_code = ExitCode.USAGE


class MissingExtra(UsageError):  # noqa: N818
    """An optional package is not installed; the hint names the command that installs it."""

    def __init__(self, package: str, extra: str, *, otherwise: str = "") -> None:
        """`otherwise` is another command, for where the package cannot share this environment."""
        command = f"pip install 'runferry[{extra}]'"
        hint = f"{command}, or apart from it: {otherwise}" if otherwise else command
        super().__init__(f"{package} is not installed", hint=hint)


class BadLocation(UsageError):  # noqa: N818
    """A location that cannot be understood."""


class BadPlugin(UsageError):  # noqa: N818
    """What another package offers as a reader or writer does not load, is none, or fails."""


class BadSetting(UsageError):  # noqa: N818
    """A setting, flag or environment variable with an impossible value."""
