"""The reader of CSV files that W&B's web pages export: of charts, and of the table of runs.

No source of the format is public. Of a chart: an x axis, and for every run the columns
`RUN - METRIC`, `RUN - METRIC__MIN` and `…__MAX`; where the x axis is no step, `RUN - _step` too.
Of the table: `Name`, columns of the run itself (`State`, `ID`, `Created` …), config and summary.
All cells stand in quotes, and the last line has no line break.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from runferry.losses import Fate, Loss
from runferry.model import KeyPath, Kind, Run
from runferry.readers.finding import begins_with, files_named, key_of, label_of, signature_of
from runferry.readers.tabular.csv_form import CsvForm, form_if_table
from runferry.readers.tabular.csv_table import CsvTable
from runferry.readers.tabular.names import column_paths
from runferry.readers.tabular.reading import RunTable, TableRun
from runferry.readers.tabular.table_reader import NO_ROW, TableReader
from runferry.readers.tabular.wandb_runs_table import (
    is_runs_table,
    may_be_runs_table,
    names_of,
    runs_in,
)
from runferry.readers.tabular.wide import Meaning

_BETWEEN = " - "
_ENVELOPE = ("__MIN", "__MAX")
_STEP = "Step"
_OWN_STEP = "_step"
_SUFFIX = ".csv"

_RunColumns = tuple[str, int]  # the name of a run, and which of those of that name


class WandbCsvReader(TableReader):
    """Every export below a folder; of a chart each run that it shows, of the table each row."""

    name: ClassVar[str] = "wandb_csv"
    gives: ClassVar[frozenset[Kind]] = frozenset({"scalar", "text", "config", "raw"})
    takes: ClassVar[str] = "a CSV file that W&B exported, or a folder of such files"

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Whether the header of a file here is that of an export."""
        return any(_form(file) is not None for file in files_named(path, _may_be))

    def look(self) -> Iterator[TableRun]:
        """By file, and then by the order of columns or rows."""
        for path in files_named(self.root, _may_be):
            form = _form(path, is_named=not self.root.is_dir())
            if form is None:
                continue
            if not form.first:
                self.pass_over(path, NO_ROW)
                continue
            label = label_of(self.root, path)
            if may_be_runs_table(form):
                paths, losses = column_paths(form.names, label)
                names = names_of(form)
                table = CsvTable(path, label, form, paths, names=names, takes_unended=True)
                yield from runs_in(table, self.name, self.options.timezone, losses)
            else:
                yield from _charted(self.name, path, label, form)


def _form(path: Path, *, is_named: bool = False) -> CsvForm | None:
    """The form of an export; None for any other file."""
    if not begins_with(path, b'"') and not begins_with(path, b","):
        return None
    form = form_if_table(path, takes_unended=True)
    if form is None:
        return None
    if is_named:
        return form if _series_of(form.names) or may_be_runs_table(form) else None
    return form if _is_chart(form.names) or is_runs_table(form) else None


def _is_chart(names: tuple[str, ...]) -> bool:
    """Whether all is a chart's: behind the x axis only a run's, and some of it with an envelope."""
    return bool(_series_of(names)) and all(_BETWEEN in name for name in names[1:])


def _series_of(names: tuple[str, ...]) -> dict[_RunColumns, list[tuple[int, str]]]:
    """Columns of runs in a chart: their number and what they hold. None where none is a chart's.

    A file that was named may have other columns beside them. Names of runs are no ids: what comes
    a second time under one name is another run's.
    """
    known = set(names)
    if not any(
        _BETWEEN in name and all(name + ending in known for ending in _ENVELOPE)
        for name in names[1:]
    ):
        return {}
    copies: Counter[str] = Counter()
    found: dict[_RunColumns, list[tuple[int, str]]] = {}
    for number, name in enumerate(names):
        base = name
        for ending in _ENVELOPE:
            base = base.removesuffix(ending)
        if number and _BETWEEN in base:
            run = base.rpartition(_BETWEEN)[0]
            copies[name] += 1
            place = found.setdefault((run, copies[name]), [])
            place.append((number, name[len(run) + len(_BETWEEN) :]))
    return found


def _charted(tracker: str, path: Path, label: str, form: CsvForm) -> Iterator[TableRun]:
    """The runs of a chart."""
    columns, _ = column_paths(form.names, label)
    series = _series_of(form.names)
    ours = {number for found in series.values() for number, _ in found}
    strange = [name for number, name in enumerate(form.names) if number and number not in ours]
    table = CsvTable(path, label, form, columns, takes_unended=True)
    for (run, copy), found in series.items():
        named = f"{label}:{run}" if copy == 1 else f"{label}:{run}~{copy}"
        key = key_of(tracker, named, signature_of(dict(form.record())))
        said = []
        if any(_BETWEEN in metric for _, metric in found) or _BETWEEN in run:
            detail = f"read as the run {run!r}, which ends at the last {_BETWEEN!r}"
            said.append(Loss("ambiguous-name", Fate.KEPT, label, 1, detail))
        if strange:
            detail = f"columns of no run: {', '.join(strange[:5])}"
            said.append(Loss("strange-column", Fate.DROPPED, label, len(strange), detail))
        meaning = _meaning(form, found)
        wanted = [column for column, named in enumerate(meaning.paths) if named is not None]
        own = RunTable(label, replace(table, wanted=tuple(wanted)), meaning)
        yield TableRun(Run(key, name=run), (own,), losses=tuple(said))


def _meaning(form: CsvForm, found: list[tuple[int, str]]) -> Meaning:
    """The x axis is the step, or beside steps of the run's own a series like others."""
    paths: list[KeyPath | None] = [None] * len(form.names)
    paths[0] = (form.names[0] or "x",)
    for number, metric in found:
        paths[number] = (metric,)
    step = next((number for number, metric in found if metric == _OWN_STEP), None)
    if step is None and form.names[0] == _STEP:
        step = 0
    return Meaning(tuple(paths), step=step, companions=frozenset({0}))


def _may_be(name: str) -> bool:
    return name.lower().endswith(_SUFFIX)
