"""Which runs, and which of their series, the user asked for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase

from runferry.errors import UsageError
from runferry.model import Inventory, Run, Uid

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
        is_taken = not self.metrics or self.metrics[0].startswith("!")
        for glob in self.metrics:
            if fnmatchcase(key, glob.removeprefix("!")):
                is_taken = not glob.startswith("!")
        return is_taken

    @property
    def names_runs(self) -> bool:
        """Whether some runs were asked for, and not all."""
        return bool(self.projects or self.run_ids or self.tags or self.since or self.until)

    def some(self, selected: Iterable[Run], where: str) -> list[Run]:
        """The runs that were selected. Raises UsageError when runs were asked for and none is."""
        found = list(selected)
        if not found:
            self.check_found(False, where)
        return found

    def check_found(self, is_any: bool, where: str) -> None:
        """Raises UsageError when runs were asked for and there is none such."""
        if self.names_runs and not is_any:
            raise UsageError("no run is selected", where=where, hint=f"runferry ls {where}")

    @property
    def metrics_hash(self) -> str:
        """Tells one choice of metrics from another; empty when all were chosen."""
        if not self.metrics:
            return ""
        return hashlib.blake2b(json.dumps(self.metrics).encode(), digest_size=8).hexdigest()


EVERYTHING = Selection()


def chosen(inventory: Inventory, selection: Selection) -> Inventory:
    """The inventory with only those series that the user chose."""
    if not selection.metrics:
        return inventory
    kept = tuple(series for series in inventory.series if selection.takes_series(series.key))
    return replace(inventory, series=kept)


def _ns(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000


def _any(globs: tuple[str, ...], names: tuple[str, ...]) -> bool:
    return not globs or any(fnmatchcase(name, glob) for glob in globs for name in names)
