"""Which runs, and which of their series, the user asked for."""

from __future__ import annotations

import hashlib
import json
import logging
import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from functools import partial
from typing import TypeAlias

from runferry.errors import UsageError
from runferry.model import Inventory, Run, Uid
from runferry.ports import ChoosingReader, Reader, Wanted
from runferry.registry import headers
from runferry.transfer.exclusions import Exclusions
from runferry.transfer.value_types import ValueTypes

_log = logging.getLogger(__name__)

Choice: TypeAlias = "tuple[tuple[str, ...], ...]"
"""Lists of globs; a series that any of them takes is chosen. Without a list all are."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Selection:
    """Empty fields select everything. Projects, run ids, tags and metrics are globs.

    A run is selected when it matches one glob of every field given; its date is when it started,
    or else was created, and a run without a date is not selected by dates. `metrics` is read from
    left to right: `*` takes in, `!debug/*` takes out, and what begins with `!` starts from all.
    """

    projects: tuple[str, ...] = ()
    run_ids: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    since: datetime | None = None  # aware; included
    until: datetime | None = None  # aware; excluded
    metrics: tuple[str, ...] = ()
    uids: frozenset[Uid] | None = None  # exact, and not of the user: what a conversion pulled
    kept: Choice = ()  # nor is this: what is taken besides, since a run is archived with it
    included: frozenset[str] = frozenset()  # of what is left out on a road: `exclusions.SWITCHES`
    types: frozenset[str] = frozenset()  # of values: `value_types.TYPES`
    destination: str = ""  # nor this: the tracker that runs are on their way to

    def takes_run(self, run: Run) -> bool:
        """Whether a run's header matches."""
        return (
            (self.uids is None or run.uid in self.uids)
            and _any(self.projects, (run.project or run.key.scope,))
            and _any(self.run_ids, (run.key.run_id, run.uid))
            and _any(self.tags, (*run.tags, *run.labels))
            and self._takes_date(run)
        )

    def _takes_date(self, run: Run) -> bool:
        if self.since is None and self.until is None:
            return True
        began_ns = run.started_ns if run.started_ns is not None else run.created_ns
        if began_ns is None:
            return False
        after = self.since is None or began_ns >= _ns(self.since)
        before = self.until is None or began_ns < _ns(self.until)
        return after and before

    def takes_series(self, key: str) -> bool:
        """Whether a series is moved."""
        return not self.metrics or any(_takes(globs, key) for globs in (self.metrics, *self.kept))

    def of_runs(self, uids: frozenset[Uid]) -> Selection:
        """The same of runs that are selected already: these, whatever their headers say by now."""
        return replace(self, uids=uids, projects=(), run_ids=(), tags=(), since=None, until=None)

    @property
    def choice(self) -> Choice:
        """The series that are moved, however the lists of globs came together."""
        return tuple(sorted({self.metrics, *self.kept})) if self.metrics else ()

    def widened(self, earlier: Iterable[Choice]) -> Selection:
        """With the series of earlier choices too."""
        choices = list(earlier)
        if not all(choices):  # one of them took everything
            return replace(self, metrics=(), kept=())
        return replace(self, kept=tuple(globs for choice in choices for globs in choice))

    def toward(self, destination: str) -> Selection:
        """The same, on the way to a tracker. Raises UsageError for an unknown switch."""
        Exclusions.between("", destination, self.included)
        return replace(self, destination=destination)

    def exclusions(self, run: Run) -> Exclusions:
        """What is left out of a run on its way."""
        left_out = Exclusions.between(run.key.tracker, self.destination, self.included)
        return replace(left_out, types=ValueTypes(self.types))

    @property
    def wanted(self) -> Wanted:
        """What a reader may be told of it."""
        return Wanted(
            self.projects,
            self.run_ids,
            self.tags,
            None if self.since is None else _ns(self.since),
            None if self.until is None else _ns(self.until),
        )

    def runs_of(self, reader: Reader, *, shows_begin: bool = False) -> Iterator[Run]:
        """The headers of the selected runs; with `shows_begin` for somebody to look at."""
        if isinstance(reader, ChoosingReader):
            wanted = replace(self.wanted, shows_begin=shows_begin)
            return filter(self.takes_run, headers(reader.name, partial(reader.runs_of, wanted)))
        return filter(self.takes_run, headers(reader.name, reader.runs))

    @property
    def narrows_projects(self) -> bool:
        """Whether a project may have runs of which none is selected."""
        return bool(self.run_ids or self.tags or self.since or self.until)

    def some(self, select: Select, where: str) -> list[Run]:
        """The runs that are selected. Raises UsageError when runs were asked for and none is."""
        found = list(select(self))
        self.check_found(bool(found), where, select)
        return found

    def check_found(self, is_any: bool, where: str, select: Select) -> None:
        """Raises UsageError when runs were asked for and there is none such.

        Since a date there need not be any: what runs every night may well find none. But there
        is to be one of another date that the rest of the choice fits.
        """
        names = bool(self.projects or self.run_ids or self.tags)
        if is_any or not (names or self.since or self.until):
            return
        of_any_date = replace(self, since=None, until=None)
        if self.since is None or (names and not any(True for _ in select(of_any_date))):
            hint = f"runferry ls {shlex.quote(where)}"
            raise UsageError("no run is selected", where=where, hint=hint)
        _log.warning("%s: no run began since %s", where, self.since.isoformat(" "))

    @property
    def metrics_hash(self) -> str:
        """Tells one choice of metrics from another; empty when all were chosen."""
        if not self.metrics:
            return ""
        return hashlib.blake2b(json.dumps(self.metrics).encode(), digest_size=8).hexdigest()


EVERYTHING = Selection()

Select: TypeAlias = Callable[[Selection], Iterable[Run]]
"""Gives the runs of a place that a selection takes."""


def chosen(inventory: Inventory, selection: Selection) -> Inventory:
    """The inventory of what is sent: the series that the user chose, and what is not left out."""
    if selection.metrics:
        kept = tuple(series for series in inventory.series if selection.takes_series(series.key))
        inventory = replace(inventory, series=kept)
    return selection.exclusions(inventory.run).without(inventory)


def _takes(globs: tuple[str, ...], key: str) -> bool:
    is_taken = globs[0].startswith("!")
    for glob in globs:
        if fnmatchcase(key, glob.removeprefix("!")):
            is_taken = not glob.startswith("!")
    return is_taken


def _ns(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000


def _any(globs: tuple[str, ...], names: tuple[str, ...]) -> bool:
    return not globs or any(fnmatchcase(name, glob) for glob in globs for name in names)
