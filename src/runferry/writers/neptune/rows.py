"""Rows of the model as rows of the exporter's: column by column."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from runferry.dialects.neptune.export_files import AttributeType
from runferry.dialects.neptune.schema import ATOMS, COUNTING, EXPORT
from runferry.dialects.neptune.steps import MOST, joined_steps
from runferry.writers.neptune.held import Held

_FILE: Final = EXPORT.field("file_value").type
_HISTOGRAM: Final = EXPORT.field("histogram_value").type
_TIME: Final = EXPORT.field("timestamp").type


class RowsOfRun:
    """Makes rows of one run."""

    def __init__(self, project_id: str, run_id: str, path_of: Callable[[str], str]) -> None:
        """`path_of` gives the attribute of a series' key."""
        self._ids = {"project_id": _words(project_id), "run_id": _words(run_id)}
        self._path_of = path_of

    def of_values(self, items: Iterable[Held]) -> pa.RecordBatch:
        """Single values."""
        rows = []
        for item in items:
            value = list(item.value) if isinstance(item.value, tuple) else item.value
            if isinstance(value, str):
                value = _words(value)
            elif isinstance(value, list):
                value = [_words(word) for word in value]
            rows.append(
                {
                    "attribute_path": _words(item.path),
                    "attribute_type": item.type,
                    ATOMS[item.type]: value,
                    **self._ids,
                }
            )
        return pa.RecordBatch.from_pylist(rows, schema=EXPORT)

    def of_points(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """`tables.POINTS` as float series; a null that was logged is no row."""
        value = batch.column("value")
        if value.null_count:
            batch = batch.filter(value.is_valid())
        return self._series(batch, "float_series", float_value=batch.column("value"))

    def of_texts(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """`tables.TEXTS` as string series."""
        return self._series(batch, "string_series", string_value=batch.column("text"))

    def of_histograms(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """`tables.HISTOGRAMS` as histogram series."""
        kind = pa.array([COUNTING] * batch.num_rows, pa.string())
        columns = [kind, batch.column("edges"), batch.column("counts")]
        columns = [c.cast(field.type) for c, field in zip(columns, _HISTOGRAM, strict=True)]
        told = pa.StructArray.from_arrays(columns, fields=list(_HISTOGRAM))
        return self._series(batch, "histogram_series", histogram_value=told)

    def of_files(self, batch: pa.RecordBatch, paths: pa.Array) -> pa.RecordBatch:
        """Media rows as file series; `paths` say where their bytes lie."""
        told = pa.StructArray.from_arrays([paths], fields=list(_FILE))
        return self._series(batch, "file_series", file_value=told)

    def of_lines(self, lines: pa.RecordBatch, attribute: str, first: int) -> pa.RecordBatch:
        """Lines of `tables.CONSOLE`, of one stream, as a string series from step `first` on."""
        steps = pa.array(np.arange(first, first + lines.num_rows, dtype=np.int64))
        return self._rows(
            lines.num_rows,
            "string_series",
            attribute_path=_repeated(attribute, lines.num_rows),
            step=_decimals(steps, pa.nulls(len(steps), pa.int32())),
            timestamp=_milliseconds(lines.column("time")),
            string_value=pc.utf8_rtrim(lines.column("line"), "\r\n"),
        )

    def of_file(self, attribute: str, kind: AttributeType, path: str) -> pa.RecordBatch:
        """One file, or one set of them in a folder."""
        told = pa.array([{"path": path}], _FILE)
        return self._rows(1, kind, attribute_path=_repeated(attribute, 1), file_value=told)

    def _series(
        self, batch: pa.RecordBatch, kind: AttributeType, **values: pa.Array
    ) -> pa.RecordBatch:
        return self._rows(
            batch.num_rows,
            kind,
            attribute_path=self._paths(batch.column("key")),
            step=_decimals(
                pc.coalesce(batch.column("step"), batch.column("seq")), batch.column("step_frac")
            ),
            timestamp=_milliseconds(batch.column("time")),
            **values,
        )

    def _paths(self, keys: pa.Array) -> pa.Array:
        if not pa.types.is_dictionary(keys.type):
            keys = keys.dictionary_encode()
        used = set(pc.unique(keys.indices).to_pylist())
        known = keys.dictionary.to_pylist()
        paths = [_words(self._path_of(k)) if at in used else None for at, k in enumerate(known)]
        return pa.array(paths, pa.string()).take(keys.indices)

    def _rows(self, count: int, kind: AttributeType, **columns: pa.Array) -> pa.RecordBatch:
        fixed = {"attribute_type": kind, **self._ids}
        arrays: list[Any] = []
        for field in EXPORT:
            if field.name in fixed:
                arrays.append(_repeated(fixed[field.name], count))
            elif field.name in columns:
                arrays.append(columns[field.name])
            else:
                arrays.append(pa.nulls(count, field.type))
        return pa.RecordBatch.from_arrays(arrays, schema=EXPORT)


def _words(text: str) -> str:
    """Text that UTF-8 can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _repeated(text: str, count: int) -> pa.Array:
    return pa.repeat(pa.scalar(text, pa.string()), count)


def _milliseconds(times: pa.Array) -> pa.Array:
    return times.cast(_TIME, safe=False)


def _decimals(steps: pa.Array, millionths: pa.Array) -> pa.Array:
    """Steps as decimals; those beyond become the largest."""
    within = np.clip(steps.to_numpy(zero_copy_only=False), -MOST, MOST)
    return joined_steps(pa.array(within, pa.int64()), millionths)
