"""Where the log goes and how much of it: -v and -q for stderr, --log-file for all of it."""

from __future__ import annotations

import io
import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runferry.cli.pipes import Remarks
from runferry.cli.streams import printable
from runferry.errors import BadSetting, RunferryError
from runferry.redact import without_credentials

LOGGER = logging.getLogger("runferry")


class Redacting(logging.Formatter):
    """Takes credentials out of whatever was logged, tracebacks included."""

    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        """One record as text."""
        return without_credentials(super().format(record))


class _Shown(logging.Handler):
    """Looks stderr up anew each time: while a bar is drawn it is another one."""

    def emit(self, record: logging.LogRecord) -> None:
        """One record as a line."""
        print(self.format(record), file=sys.stderr)


def level_of(verbosity: int) -> int:
    """-q: errors; nothing: warnings; -v: what happens; -vv: everything, with tracebacks."""
    levels = {-1: logging.ERROR, 0: logging.WARNING, 1: logging.INFO}
    return levels.get(verbosity, logging.DEBUG)


@contextmanager
def logging_to(log_file: Path | None, verbosity: int) -> Iterator[None]:
    """The log on stderr, and in the file, for as long as this lasts. Raises BadSetting."""
    shown = _Shown()
    shown.setLevel(level_of(verbosity))
    shown.setFormatter(Redacting("%(levelname)s: %(message)s"))
    handlers: list[logging.Handler] = [shown]
    if log_file is not None:
        handlers.append(_kept(log_file, verbosity))
    for handler in handlers:
        LOGGER.addHandler(handler)
    LOGGER.setLevel(min(handler.level for handler in handlers))
    LOGGER.propagate = False
    try:
        yield
    finally:
        for handler in handlers:
            LOGGER.removeHandler(handler)
            handler.close()


@contextmanager
def kept_in(log_file: Path, verbosity: int) -> Iterator[None]:
    """The log in this file too, and the error that ends it. Raises BadSetting."""
    kept = _kept(log_file, verbosity)
    before = LOGGER.level
    LOGGER.addHandler(kept)
    LOGGER.setLevel(min(before, kept.level))
    try:
        yield
    except (
        Exception,
        KeyboardInterrupt,
    ) as error:  # told on stderr by whoever called; here for the file alone
        kept.handle(_told(error))
        raise
    finally:
        LOGGER.removeHandler(kept)
        LOGGER.setLevel(before)
        kept.close()


def _told(error: BaseException) -> logging.LogRecord:
    """What ended the work: an error of ours in its words, any other with its traceback."""
    is_ours = isinstance(error, RunferryError)
    words = str(error) if is_ours else f"ended by {type(error).__name__}: {error}"
    trace = (type(error), error, error.__traceback__)
    is_fault = isinstance(error, Exception) and not is_ours
    args = (logging.ERROR, "", 0, "%s", (words,), trace if is_fault else None)
    return LOGGER.makeRecord(LOGGER.name, *args)


def _kept(log_file: Path, verbosity: int) -> logging.Handler:
    kept = _file_handler(log_file)
    kept.setLevel(min(logging.INFO, level_of(verbosity)))
    kept.setFormatter(Redacting("%(asctime)sZ %(levelname)s %(threadName)s %(name)s: %(message)s"))
    return kept


class _LogFile(Remarks):
    """A log on a disk that has become full costs what it would have said, and not the work."""

    def gone(self, error: OSError) -> None:
        """Told once."""
        why = f"{self.name}: {os.strerror(error.errno or 0)}"
        print(f"warning: nothing more is written to the log: {printable(why)}", file=sys.stderr)


class _FileHandler(logging.FileHandler):
    def _open(self) -> io.TextIOWrapper:
        file = io.BufferedWriter(_LogFile(self.baseFilename, "ab"))
        return io.TextIOWrapper(file, encoding=self.encoding, errors=self.errors)


def _file_handler(log_file: Path) -> logging.Handler:
    try:
        return _FileHandler(log_file, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise BadSetting(
            "the log cannot be written here",
            where=f"{log_file}: {error}",
            hint="--log-file PATH names another place",
        ) from error
