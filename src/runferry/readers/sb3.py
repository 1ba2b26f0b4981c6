"""The reader of Stable-Baselines' `progress.csv` and `monitor.csv`, of Baselines' too.

Sources of the formats: `stable_baselines3/common/{logger,monitor}.py`, `baselines/logger.py`,
`baselines/bench/monitor.py`. All such files of one folder are one run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from runferry.dialects.json_trees import leaves, parse_json
from runferry.losses import Fate, Loss
from runferry.model import Attribute, KeyPath, Kind, Run, Tree
from runferry.paths import folders_below
from runferry.readers.finding import key_of, label_of, signature_of
from runferry.readers.ray_tune import RAY_COLUMNS
from runferry.readers.tabular.csv_form import CsvForm, form_if_table, is_number
from runferry.readers.tabular.csv_table import CsvTable
from runferry.readers.tabular.names import column_paths
from runferry.readers.tabular.reading import RunTable, TableRun
from runferry.readers.tabular.table_reader import TableReader
from runferry.readers.tabular.wide import Meaning

PROGRESS = "progress.csv"
_MONITOR = re.compile(r"(?:.*\.)?monitor\.csv")
_STEPS = (
    "time/total_timesteps",  # Stable-Baselines 3
    "total_timesteps",
    "misc/total_timesteps",
    "total/steps",
    "TimestepsSoFar",
    "steps",
)
"""Columns that count environment steps since the beginning, in the order they are looked for."""
_EPISODE = ("r", "l", "t")
_TELLING = re.compile(r"/|loss|rew|ret|step|iter|epis|updates|epoch|^ep|acc")
_DIGITS = re.compile(r"(\d+)")
_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class _Log:
    """One file of a run; `header` is what a monitor says before its rows."""

    path: Path
    form: CsvForm
    header: dict[str, Tree] | None = None
    is_header_bad: bool = False

    @property
    def is_monitor(self) -> bool:
        return self.path.name != PROGRESS

    @property
    def origin_ns(self) -> int | None:
        """When the monitor began, which its rows count from."""
        began = (self.header or {}).get("t_start")
        if isinstance(began, bool) or not isinstance(began, (int, float)):
            return None
        return int(began) * _NS + round((began - int(began)) * _NS) if 0 < began < 9e9 else None

    def record(self) -> Tree:
        """What tells this run from others."""
        return dict(self.header) if self.header else dict(self.form.record())


class StableBaselinesReader(TableReader):
    """Every folder with a `progress.csv` that is not Ray's, or with `*monitor.csv`."""

    name: ClassVar[str] = "sb3"
    gives: ClassVar[frozenset[Kind]] = frozenset({"scalar", "text", "config", "raw"})
    takes: ClassVar[str] = "a folder with progress.csv or *monitor.csv, or such a file"

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Whether such a file lies here, by its name and its first lines."""
        return next(_logs_below(path), None) is not None

    def look(self) -> Iterator[TableRun]:
        """By folder."""
        for folder, logs in _logs_below(self.root):
            yield self._run(folder, logs)

    def _run(self, folder: Path, logs: list[_Log]) -> TableRun:
        label = label_of(self.root, folder)
        first = next((log for log in logs if log.is_monitor), logs[0])
        began = [log.origin_ns for log in logs if log.origin_ns is not None]
        run = Run(
            key_of(self.name, label, signature_of(first.record())),
            name=label,
            started_ns=min(began, default=None),
        )
        monitors = [log for log in logs if log.is_monitor]
        tables, attributes, losses = [], [], []
        for log in logs:
            name = log.path.name
            columns, renamed = column_paths(log.form.names, name)
            prefix = (name.removesuffix(".csv"),) if log.is_monitor and len(logs) > 1 else ()
            meaning = _meaning(log, columns, prefix)
            table = CsvTable(log.path, name, log.form, columns)
            tables.append(RunTable(name, table, meaning))
            losses += [*renamed, *_of_header(log)]
            within = prefix if len(monitors) > 1 else ()
            for path, value in leaves(log.header or {}):
                attributes.append(Attribute((*within, *path), "config", value))
        return TableRun(run, tuple(tables), tuple(attributes), tuple(losses))


def _meaning(log: _Log, columns: tuple[KeyPath, ...], prefix: KeyPath) -> Meaning:
    if log.is_monitor:
        is_timed = log.origin_ns is not None and ("t",) in columns
        time = columns.index(("t",)) if is_timed else None
        return Meaning(prefix=prefix, time=time, origin_ns=log.origin_ns)
    step = next((columns.index((name,)) for name in _STEPS if (name,) in columns), None)
    return Meaning(prefix=prefix, step=step)


def _of_header(log: _Log) -> Iterator[Loss]:
    if log.is_header_bad:
        detail = f"no JSON: {log.form.preamble[:200]}"
        yield Loss("bad-json", Fate.DROPPED, f"{log.path.name}:1", 1, detail)
    if not log.form.first:
        yield Loss("header-only", Fate.KEPT, log.path.name, 1, "no row was written yet")


def _logs_below(root: Path) -> Iterator[tuple[Path, list[_Log]]]:
    """The folders with files of ours, and these: progress first, monitors by their numbers."""
    if not root.is_dir():
        log = _log_of(root) if _is_named(root.name) else None
        if log is not None:
            yield root, [log]
        return
    for folder in folders_below(root):
        names = sorted(filter(_is_named, folder.names), key=_natural)
        logs = [log for name in names if (log := _log_of(folder.path / name)) is not None]
        if logs:
            yield folder.path, logs


def _is_named(name: str) -> bool:
    return name == PROGRESS or _MONITOR.fullmatch(name) is not None


def _natural(name: str) -> tuple[bool, list[tuple[int, str]]]:
    """`2.monitor.csv` before `10.monitor.csv`, and progress before both."""
    parts = [(int(part), "") if part.isdecimal() else (-1, part) for part in _DIGITS.split(name)]
    return name != PROGRESS, parts


def _is_progress(form: CsvForm) -> bool:
    """Whether all cells are numbers, and a column is called as those of trainings are."""
    if not form.first or not RAY_COLUMNS.isdisjoint(form.names):
        return False
    is_called = any(_TELLING.search(name.lower()) for name in form.names)
    return is_called and all(not cell.strip() or is_number(cell) for cell in form.first)


def _log_of(path: Path) -> _Log | None:
    form = form_if_table(path)
    if form is None:
        return None
    if path.name == PROGRESS:
        return _Log(path, form) if _is_progress(form) else None
    if not form.preamble:
        return _Log(path, form) if form.names[:3] == _EPISODE and form.first else None
    try:
        header = parse_json(form.preamble[1:])
    except ValueError:
        header = None
    if not isinstance(header, dict):
        return _Log(path, form, None, is_header_bad=True)
    return _Log(path, form, header)
