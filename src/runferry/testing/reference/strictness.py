"""What a destination with given `Limits` keeps of a chunk: the limits, carried out to the letter.

The reference tracker holds exactly what its limits say and says nothing about the rest, as real
trackers do. A plan that foresees it all is then right about every destination.
"""

from __future__ import annotations

import sys
from dataclasses import fields, replace

import pyarrow as pa
import pyarrow.compute as pc

from runferry import chunks, tables
from runferry.losses import Fate
from runferry.model import Address, Attribute, MediaItem, Run, Series, Tree
from runferry.ports import Limits

_US = 1_000


def hold(chunk: chunks.Chunk, limits: Limits) -> chunks.Chunk | None:
    """What is left of a chunk; None if nothing is."""
    match chunk:
        case chunks.Points(batch):
            return None if _drops(limits, "scalar") else chunks.Points(hold_points(batch, limits))
        case chunks.Texts(batch):
            return None if _drops(limits, "text") else chunks.Texts(_hold_texts(batch, limits))
        case chunks.Histograms(batch):
            kept = _hold_address(tables.conform(batch, tables.HISTOGRAMS), limits)
            return None if _drops(limits, "histogram") else chunks.Histograms(kept)
        case chunks.Media(items):
            held = tuple(_hold_media(items, limits))
            return chunks.Media(held) if held else None
        case chunks.Attributes(items):
            return replace(
                chunk,
                items=tuple(
                    _hold_attribute(i, limits) for i in items if not _drops(limits, i.role)
                ),
            )
        case chunks.SeriesFacts(items):
            return chunks.SeriesFacts(tuple(_hold_series(item, limits) for item in items))
        case chunks.Header(run):
            return chunks.Header(hold_header(run, limits))
    kind = type(chunk).__name__.lower()
    return None if kind in _FEW and _drops(limits, kind) else chunk


_FEW = frozenset({"console", "file", "artifact", "document", "raw"})


def _drops(limits: Limits, kind: str) -> bool:
    return limits.holds.get(kind, Fate.DROPPED) is Fate.DROPPED


# --- rows -----------------------------------------------------------------------------------------


def _set(batch: pa.RecordBatch, column: str, cells: pa.Array) -> pa.RecordBatch:
    index = batch.schema.get_field_index(column)
    return batch.set_column(index, batch.schema.field(index), cells)


def _meet(
    batch: pa.RecordBatch, hit: pa.Array, fate: Fate, column: str, instead: pa.Scalar
) -> pa.RecordBatch:
    """Drop the rows that are hit, or put something else into their column, or leave them be."""
    hit = pc.fill_null(hit, False)
    if fate is Fate.DROPPED:
        return batch.filter(pc.invert(hit))
    if fate in (Fate.ROUNDED, Fate.MERGED):
        return _set(batch, column, pc.if_else(hit, instead, batch.column(column)))
    return batch


def _hold_address(batch: pa.RecordBatch, limits: Limits) -> pa.RecordBatch:
    step, whole = batch.column("step"), pa.scalar(None, pa.int32())
    batch = _meet(batch, pc.is_null(step), limits.null_step, "step", pa.scalar(0, pa.int64()))
    frac = pc.is_valid(batch.column("step_frac"))
    batch = _meet(batch, frac, limits.fractional_step, "step_frac", whole)
    negative = pc.less(batch.column("step"), 0)
    batch = _meet(batch, negative, limits.negative_step, "step", pa.scalar(0, pa.int64()))
    beyond = pc.greater(batch.column("step"), limits.max_step)
    most = pa.scalar(limits.max_step, pa.int64())
    return _hold_times(_meet(batch, beyond, limits.step_beyond, "step", most), limits)


def _hold_times(batch: pa.RecordBatch, limits: Limits) -> pa.RecordBatch:
    time, epoch = batch.column("time"), pa.scalar(0, pa.int64()).cast(tables.TIME)
    batch = _meet(batch, pc.is_null(time), limits.null_time, "time", epoch)
    before = pc.less(batch.column("time"), epoch)
    batch = _meet(batch, before, limits.negative_time, "time", epoch)
    if limits.time_unit_ns > 1 and limits.finer_time is not Fate.KEPT:
        batch = _set(batch, "time_ns", pa.nulls(batch.num_rows, pa.int16()))
        unit_us = max(limits.time_unit_ns // _US, 1)
        micros = batch.column("time").cast(pa.int64())
        # floor, also before 1970: integer division truncates towards zero
        rest = pc.subtract(micros, pc.multiply(pc.divide(micros, unit_us), unit_us))
        rest = pc.if_else(pc.less(rest, 0), pc.add(rest, unit_us), rest)
        batch = _set(batch, "time", pc.subtract(micros, rest).cast(tables.TIME))
    return batch


def hold_points(batch: pa.RecordBatch, limits: Limits) -> pa.RecordBatch:
    """The scalars that a destination keeps, as it keeps them."""
    batch = _hold_address(tables.conform(batch, tables.POINTS), limits)
    zero = pa.scalar(0.0, pa.float64())
    batch = _meet(batch, pc.is_nan(batch.column("value")), limits.nan, "value", zero)
    most = pa.scalar(sys.float_info.max)
    above = pc.equal(batch.column("value"), float("inf"))
    batch = _meet(batch, above, limits.infinity, "value", most)
    below = pc.equal(batch.column("value"), float("-inf"))
    batch = _meet(batch, below, limits.infinity, "value", pc.negate(most))
    null = pc.is_null(batch.column("value"))
    batch = _meet(batch, null, limits.null_value, "value", pa.scalar(float("nan")))
    inexact = pc.is_valid(batch.column("value_i64"))
    no_int = pa.scalar(None, pa.int64())
    batch = _meet(batch, inexact, limits.inexact_int, "value_i64", no_int)
    if limits.number_kind is not Fate.KEPT:
        valid = pc.is_valid(batch.column("value"))
        kinds = pc.if_else(valid, pa.scalar("float64"), pa.scalar("null"))
        batch = _set(batch, "kind", kinds.cast(tables.POINTS.field("kind").type))
    return batch


def _hold_texts(batch: pa.RecordBatch, limits: Limits) -> pa.RecordBatch:
    batch = _hold_address(tables.conform(batch, tables.TEXTS), limits)
    long = pc.greater(pc.utf8_length(batch.column("text")), limits.max_text_length)
    if limits.long_text is Fate.DROPPED:
        return batch.filter(pc.invert(pc.fill_null(long, False)))
    if limits.long_text is Fate.ROUNDED:
        short = pc.utf8_slice_codeunits(batch.column("text"), 0, limits.max_text_length)
        return _set(batch, "text", short)
    return batch


def _hold_media(items: tuple[MediaItem, ...], limits: Limits) -> list[MediaItem]:
    return [
        replace(item, at=_hold_one_address(item.at, limits))
        for item in items
        if not _drops(limits, item.media_type) and not _loses_address(item.at, limits)
    ]


def _loses_address(at: Address, limits: Limits) -> bool:
    return Fate.DROPPED in (
        limits.null_step if at.step is None else Fate.KEPT,
        limits.fractional_step if at.step_frac is not None else Fate.KEPT,
        limits.negative_step if (at.step or 0) < 0 else Fate.KEPT,
        limits.step_beyond if (at.step or 0) > limits.max_step else Fate.KEPT,
        limits.null_time if at.time_ns is None else Fate.KEPT,
        limits.negative_time if (at.time_ns or 0) < 0 else Fate.KEPT,
    )


def _hold_one_address(at: Address, limits: Limits) -> Address:
    step, frac, time_ns = at.step, at.step_frac, at.time_ns
    if step is None and limits.null_step is not Fate.KEPT:
        step = 0
    if limits.fractional_step is Fate.ROUNDED:
        frac = None
    if step is not None and step < 0 and limits.negative_step is Fate.ROUNDED:
        step = 0
    if step is not None and step > limits.max_step and limits.step_beyond is Fate.ROUNDED:
        step = limits.max_step
    if time_ns is None and limits.null_time is Fate.ROUNDED:
        time_ns = 0
    if time_ns is not None and time_ns < 0 and limits.negative_time is Fate.ROUNDED:
        time_ns = 0
    if time_ns is not None and limits.finer_time is not Fate.KEPT:
        time_ns -= time_ns % limits.time_unit_ns
    return Address(at.seq, step, frac, time_ns)


# --- what is few per run --------------------------------------------------------------------------


def _spell(value: Tree) -> str:
    return value if isinstance(value, str) else tables.dumps(value)


def _hold_attribute(item: Attribute, limits: Limits) -> Attribute:
    value = item.value
    if limits.attribute_type > Fate.REENCODED:
        value = _spell(value)
    if limits.long_attribute > Fate.REENCODED and len(_spell(value)) > limits.max_attribute_length:
        value = _spell(value)[: limits.max_attribute_length]
    flat = limits.key_path > Fate.REENCODED
    path = (limits.attribute_separator.join(item.path),) if flat else item.path
    return replace(item, path=path, value=value)


def _hold_series(item: Series, limits: Limits) -> Series:
    item = replace(item, counts=None)
    if limits.series_facts > Fate.REENCODED:
        item = replace(item, x_axis=None, goal=None, summary_rule=None, hidden=False)
    if limits.stream > Fate.REENCODED:
        item = replace(item, stream="user")
    if limits.key_path > Fate.REENCODED:
        item = replace(item, path=(item.original_key or item.key,))
    return item


_TIMES = ("created_ns", "started_ns", "ended_ns")
_LINEAGE = ("forked_from",)


def hold_header(run: Run, limits: Limits) -> Run:
    """What a destination keeps of a header: fields it does not hold are as if never stated."""
    gone = {name for name, fate in limits.header_fields.items() if fate > Fate.REENCODED}
    if limits.header_times > Fate.REENCODED:
        gone.update(_TIMES)
    if limits.lineage > Fate.REENCODED:
        gone.update(_LINEAGE)
    plain = Run(key=run.key)
    known = {field.name for field in fields(Run)} - {"key"}
    return replace(run, **{name: getattr(plain, name) for name in gone & known})
