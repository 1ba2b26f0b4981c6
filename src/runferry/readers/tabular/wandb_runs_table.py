"""W&B's table of runs as a CSV file: a row is a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import tzinfo
from typing import cast

from runferry import chunks
from runferry.losses import Fate, Loss, LossLedger
from runferry.model import Attribute, Run, RunState, Tree
from runferry.readers.finding import key_of, signature_of
from runferry.readers.tabular.addresses import instant_of
from runferry.readers.tabular.block import Block
from runferry.readers.tabular.cells import BOOL, INT
from runferry.readers.tabular.csv_form import CsvForm
from runferry.readers.tabular.csv_table import CsvTable
from runferry.readers.tabular.reading import TableRun

_NAME = "Name"
_OF_THE_RUN = {
    "ID", "State", "Created", "Runtime", "Notes", "User", "Tags", "Group", "Job Type", "Sweep",
    "Hostname", "Host", "End Time", "Start Time", "Updated", "Description", "Project",
}  # fmt: skip
_TELLING = {"Runtime", "Sweep", "Job Type"}  # no table of anything else has these
_STATES: Mapping[str, RunState] = {
    "running": "running", "finished": "finished", "crashed": "failed", "failed": "failed",
    "killed": "killed", "preempted": "killed",
}  # fmt: skip
_FIELDS = {
    "State": "status", "Notes": "notes", "User": "user", "Group": "group", "Job Type": "job_type",
    "Sweep": "sweep", "Hostname": "host", "Host": "host", "Project": "project",
}  # fmt: skip
_TIMES = {"Created": "created_ns", "Start Time": "started_ns", "End Time": "ended_ns"}


_NAMES = {_NAME, "ID", "Tags", *_FIELDS}
"""Columns whose values are texts in a header, whatever they look like."""


def names_of(form: CsvForm) -> frozenset[int]:
    """The numbers of these columns."""
    return frozenset(number for number, name in enumerate(form.names) if name.strip() in _NAMES)


def may_be_runs_table(form: CsvForm) -> bool:
    """Whether the first column is `Name`, and the rest is a run's or all names are in quotes."""
    if form.names[0] != _NAME or len(form.names) < 2:
        return False
    return form.is_quoted or len(_OF_THE_RUN.intersection(form.names)) >= 2


def is_runs_table(form: CsvForm) -> bool:
    """Whether it surely is: tables of people and places have names, states and times too."""
    if not may_be_runs_table(form):
        return False
    record = form.record()
    return record.get("State", "").lower() in _STATES or not _TELLING.isdisjoint(form.names)


def runs_in(
    table: CsvTable, tracker: str, zone: tzinfo, losses: tuple[Loss, ...]
) -> Iterator[TableRun]:
    """A run for every row, without rows of its own. What is wrong with the file each of them says.

    What the columns are called tells nothing of whether they are config or summary: all that is not
    the run's own is config, so that trackers which show only that show it.
    """
    told = LossLedger()
    told.extend(losses)
    rows: list[dict[str, Tree]] = []
    for block in table.blocks(table.begin(), []):
        rows += _rows_of(block, [".".join(path) for path in table.paths])
        told.extend(_left_out(chunk.loss) for chunk in block.odd if isinstance(chunk, chunks.Lost))
    detail = "the table does not tell config from summary: all is config here"
    told.add(Loss("config-or-summary", Fate.KEPT, table.label, 1, detail))
    for row in rows:
        run = _run(row, tracker, table.label, zone)
        config = [
            Attribute((name,), "config", value)
            for name, value in row.items()
            if name not in (_NAME, "ID") and not _is_told(name, value, run)
        ]
        yield TableRun(run, attributes=tuple(config), losses=tuple(told))


def _left_out(loss: Loss) -> Loss:
    """What is told of a row: there is no run to keep one with that is none."""
    if loss.code != "odd-row":
        return loss
    detail = f"{loss.detail.partition(':')[0]}: no run is made of this row"
    return replace(loss, fate=Fate.DROPPED, detail=detail)


def _rows_of(block: Block, names: list[str]) -> list[dict[str, Tree]]:
    """Values by name, in the order of columns; blanks are left out."""
    rows: list[dict[int, Tree]] = [{} for _ in block.number]
    numbers, words = block.values.numbers, block.values.words
    for place, row in enumerate(numbers.row.tolist()):
        value: Tree = float(numbers.value[place])
        if numbers.kind[place] == INT:
            exact = numbers.exact[place] if numbers.is_exact[place] else numbers.value[place]
            value = int(exact)
        elif numbers.kind[place] == BOOL:
            value = bool(numbers.value[place])
        rows[row][int(numbers.column[place])] = value
    columns = words.column.tolist()
    for row, column, text in zip(words.row.tolist(), columns, words.text.to_pylist(), strict=True):
        rows[row][column] = text
    return [{names[column]: row[column] for column in sorted(row)} for row in rows]


def _run(row: dict[str, Tree], tracker: str, label: str, zone: tzinfo) -> Run:
    own = {field: str(row[column]) for column, field in reversed(_FIELDS.items()) if column in row}
    times = {}
    for column, field in _TIMES.items():
        found = instant_of(str(row.get(column, "")), zone)
        if found is not None:
            times[field] = found[0]
    state = _STATES.get(own.get("status", "").lower(), "unknown")
    name = str(row.get(_NAME, row.get("ID", "")))
    tags = tuple(tag.strip() for tag in str(row.get("Tags", "")).split(",") if tag.strip())
    key = key_of(tracker, f"{label}:{row.get('ID', name)!s}", signature_of(cast("Tree", row)))
    fields: dict[str, object] = {**own, **times}
    return Run(key, name=name, tags=tags, state=state, **fields)  # type: ignore[arg-type]


def _is_told(name: str, value: Tree, run: Run) -> bool:
    """Whether the header of the run says it."""
    if name in _FIELDS:  # of `Host` and `Hostname` it holds one
        return bool(getattr(run, _FIELDS[name]) == value)
    if name == "Tags":
        return bool(run.tags)
    return name in _TIMES and getattr(run, _TIMES[name]) is not None
