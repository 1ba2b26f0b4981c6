"""How an error looks: what and where, an empty line, a hint; or as JSON."""

from __future__ import annotations

import logging
import sys
from typing import Any

from runferry.cli.streams import printable
from runferry.errors import (
    BadSetting,
    Corrupt,
    ExitCode,
    RunferryError,
    RunMissing,
    UsageError,
)

SCHEMA_VERSION = 1

log = logging.getLogger("runferry")

_USUAL: tuple[tuple[type[RunferryError], str], ...] = (
    (BadSetting, "mend it where it is set; without one, `runferry settings` shows all"),
    (Corrupt, "restore the file, or pull the run again"),
    (RunMissing, "runferry ls lists what is there"),
    (UsageError, "runferry --help"),
    (RunferryError, "the same command with -vv tells more"),
)
"""What can be done about an error that knows nothing better."""


class Interrupted(RunferryError):  # noqa: N818  as runferry names its errors
    """Somebody pressed Ctrl-C."""

    exit_code = ExitCode.INTERRUPTED

    def __init__(self) -> None:
        super().__init__("interrupted", hint="the same command again begins anew")


def tell(error: RunferryError) -> None:
    """The error on stderr; its traceback only in a log that asks for it."""
    log.debug("the traceback of the error that follows", exc_info=error)
    place = f": {error.where}" if error.where else ""
    lines = [printable(line) for line in f"error: {error.what}{place}".splitlines()]
    print("\n".join([*lines, "", f"hint: {printable(_hint(error))}"]), file=sys.stderr)


def _hint(error: RunferryError) -> str:
    return error.hint or next(hint for kind, hint in _USUAL if isinstance(error, kind))


def as_json(error: RunferryError) -> dict[str, Any]:
    """The error as in the documented schema."""
    return {
        "schema": SCHEMA_VERSION,
        "exit_code": int(error.exit_code),
        "error": {
            "kind": type(error).__name__,
            "what": error.what,
            "where": error.where,
            "hint": _hint(error),
        },
    }
