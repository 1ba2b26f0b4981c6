"""A run with `.swanlab` logs: one, and another for each time that it was resumed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from runferry import _native
from runferry.chunks import Chunk
from runferry.errors import RunferryError
from runferry.model import Cursor, Run, RunKey
from runferry.readers.local_runs import LocalRun
from runferry.readers.swanlab.facts import Facts
from runferry.readers.swanlab.reading import RunReading
from runferry.readers.swanlab.rows import Rows

RUN_FOLDER: Final = re.compile(r"run-(\d{8}_\d{6})-(.+)")
_RESUMED: Final = ("allow", "must")  # other ways are not known
_BLOCK: Final = 32_768
_HEAD_ROWS: Final = 16


@dataclass(frozen=True, slots=True)
class LoggedRun:
    """A run with `.swanlab` files, of either version."""

    key: RunKey
    logs: tuple[Path, ...]
    started_ns: int = 0
    is_resumed: bool = False
    """Whether the client was told to go on with a run of this id, where there is one."""

    @classmethod
    def at(cls, log: Path) -> LoggedRun:
        """The run of a file; one that cannot be read has the id that its folder states."""
        named = RUN_FOLDER.fullmatch(log.parent.name)
        otherwise = named[2] if named else log.stem
        facts = Facts()
        with suppress(OSError, RunferryError):  # reading it says what is wrong
            _absorb(facts, log, 0, most=1)
        started = facts.header.get("started_ns")
        return cls(
            facts.key(otherwise),
            (log,),
            started if isinstance(started, int) else 0,
            facts.other.get("resume") in _RESUMED,
        )

    @property
    def sources(self) -> tuple[Path, ...]:
        """The logs."""
        return self.logs

    def header(self) -> Run:
        """What both ends of each log tell."""
        facts = Facts()
        for number, log in enumerate(self.logs):
            if number:
                facts.resumed()
            with suppress(RunferryError):  # reading it says what is wrong
                _absorb(facts, log, 0, most=1)
                size = log.stat().st_size
                _absorb(facts, log, max(0, size // _BLOCK - 1) * _BLOCK)
        return facts.run(self.key)

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[Chunk]:
        """See `runferry.ports.Reader`; `run` is this one."""
        yield from RunReading(run.key, self.logs, after).read()


def joined(runs: Iterable[LocalRun]) -> Iterator[LocalRun]:
    """The runs, each with the logs of the times that it was resumed, in order of their beginnings.

    A log that has another's id and does not say that it goes on with it stays a run of its own.
    """
    found: list[LocalRun] = []
    of_key: dict[RunKey, list[LoggedRun]] = {}
    for run in runs:
        if not isinstance(run, LoggedRun):
            found.append(run)
            continue
        if run.key not in of_key:
            of_key[run.key] = []
            found.append(run)
        of_key[run.key].append(run)
    for run in found:
        yield from _in_order(of_key[run.key]) if isinstance(run, LoggedRun) else (run,)


def _in_order(runs: list[LoggedRun]) -> list[LoggedRun]:
    out: list[LoggedRun] = []
    for run in sorted(runs, key=lambda run: run.started_ns):
        if out and run.is_resumed:
            out[-1] = replace(out[-1], logs=(*out[-1].logs, *run.logs))
        else:
            out.append(run)
    return out


def _absorb(facts: Facts, log: Path, offset: int, most: int | None = None) -> None:
    """What records from here on say, of at most so many batches."""
    scanner = _native.SwanlabScanner(log, offset=offset, rows=_HEAD_ROWS)
    rows = Rows(facts, log.parent)
    while (batch := scanner.next()) is not None and most != 0:
        rows.facts_of(batch, scanner.version)
        most = None if most is None else most - 1
