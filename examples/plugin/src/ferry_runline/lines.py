"""The notation, shared by reader and writer: what is a line, and which file is whose.

{"run": {…}, "mark": "…"}       first, and once more at the end: what is known of the run
{"series": {…}}                 before its first value
["loss", 3, …]                  a value: a row of `runferry.tables.POINTS`, column by column
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from typing import Any

import pyarrow as pa

from runferry import tables
from runferry.model import Run, RunKey, Series, Uid

NAME = "runline"
SUFFIX = ".runline"

HELD = (
    *("name", "project", "notes", "created_ns", "started_ns", "ended_ns"),
    *("status", "state", "exit_code", "complete"),
)
"""The fields of a run's header that a file keeps; `Limits` say that the others are lost."""


def spelled(value: object) -> bytes:
    """One line."""
    return json.dumps(value).encode() + b"\n"


def header_line(run: Run, mark: Uid | None) -> bytes:
    """What is known of a run; `mark` is the uid of the run that this one is a copy of."""
    return spelled({"run": {name: getattr(run, name) for name in HELD}, "mark": mark})


def header_of(line: dict[str, Any], run_id: str) -> Run:
    """The inverse. The name of the file is the id: it is unique in its folder, and stays."""
    return Run(RunKey(NAME, "", run_id), **line["run"], origin_uid=line["mark"])


def series_line(series: Series) -> bytes:
    """One series, without the counts, which are the archive's."""
    return spelled({"series": asdict(replace(series, counts=None))})


def series_of(line: dict[str, Any]) -> Series:
    """The inverse."""
    return Series(**line["series"] | {"path": tuple(line["series"]["path"])})


def row_lines(batch: pa.RecordBatch) -> Iterator[bytes]:
    """Values; times as whole microseconds, so that no calendar is asked."""
    whole = tables.conform(batch, tables.POINTS)
    columns = [
        column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column
        for column in whole.columns
    ]
    return map(spelled, zip(*(column.to_pylist() for column in columns), strict=True))


def batch_of(rows: Iterable[list[Any]]) -> pa.RecordBatch:
    """The inverse, of one row at least."""
    columns = []
    for values, field in zip(zip(*rows, strict=True), tables.POINTS, strict=True):
        if pa.types.is_dictionary(field.type):
            columns.append(pa.array(values, pa.string()).dictionary_encode())
        elif pa.types.is_timestamp(field.type):
            columns.append(pa.array(values, pa.int64()).cast(field.type))
        else:
            columns.append(pa.array(values, field.type))
    batch = pa.RecordBatch.from_arrays(columns, names=tables.POINTS.names)
    return tables.conform(batch, tables.POINTS)
