"""The archive's chunks as a destination gets them: named, filtered, cut and numbered by a plan.

Deterministic for a record and a plan: the same number is the same chunk in every attempt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from runferry import chunks
from runferry.chunks import Chunk
from runferry.losses import Fate
from runferry.model import Series
from runferry.ports import Limits
from runferry.transfer.foretell import spelled_length
from runferry.transfer.plan import RunPlan
from runferry.transfer.rows import batches_of, rekeyed, without


def outgoing(source: Iterable[Chunk], plan: RunPlan) -> Iterator[Chunk]:
    """What is sent, in order; its place in this sequence is a chunk's number."""
    for chunk in source:
        match chunk:
            case chunks.Header() | chunks.Lost():
                yield chunk
            case chunks.Checkpoint():
                continue  # the reader's words mean nothing to a destination
            case chunks.Attributes():
                yield from _attributes(chunk, plan)
            case chunks.SeriesFacts():
                items = tuple(_series(s, plan) for s in chunk.items if s.key in plan.series)
                if items:
                    yield chunks.SeriesFacts(items)
            case chunks.Points():
                if plan.holds("scalar"):
                    yield from map(chunks.Points, _rows(chunk.batch, plan))
            case chunks.Texts():
                if plan.holds("text"):
                    yield from map(chunks.Texts, _rows(chunk.batch, plan))
            case chunks.Histograms():
                if plan.holds("histogram"):
                    yield from map(chunks.Histograms, _rows(chunk.batch, plan))
            case chunks.Media():
                yield from _media(chunk, plan)
            case chunks.Console():
                if plan.holds("console"):
                    limit = plan.limits.batch_rows
                    yield from map(chunks.Console, batches_of(chunk.batch, limit, whole=False))
            case chunks.File() | chunks.Artifact() | chunks.Document() | chunks.Raw():
                if plan.holds(type(chunk).__name__.lower()):
                    yield chunk


def _attributes(chunk: chunks.Attributes, plan: RunPlan) -> Iterator[Chunk]:
    limits = plan.limits
    drops_long = limits.long_attribute is Fate.DROPPED
    items = tuple(
        replace(item, name=plan.attributes[item.role, item.path])
        for item in chunk.items
        if (item.role, item.path) in plan.attributes
        and not (drops_long and spelled_length(item) > limits.max_attribute_length)
    )
    if items or not chunk.items:
        yield chunks.Attributes(items, chunk.is_whole)


def _series(series: Series, plan: RunPlan) -> Series:
    name = plan.series[series.key]
    return replace(
        series,
        key=name,
        x_axis=None if series.x_axis is None else plan.series.get(series.x_axis, series.x_axis),
        original_key=series.key if name != series.key else None,
    )


def _media(chunk: chunks.Media, plan: RunPlan) -> Iterator[Chunk]:
    items = tuple(
        replace(item, key=plan.series[item.key])
        for item in chunk.items
        if item.key in plan.series and plan.holds(item.media_type)
    )
    if items:
        yield chunks.Media(items)


def _rows(batch: pa.RecordBatch, plan: RunPlan) -> Iterator[pa.RecordBatch]:
    kept = _droppable(rekeyed(batch, plan.series.get), plan.limits)
    is_whole = plan.order == "step"
    return batches_of(kept, plan.limits.batch_rows, whole=is_whole)


def _droppable(batch: pa.RecordBatch, limits: Limits) -> pa.RecordBatch:
    """Without the rows that the destination cannot hold in any form."""
    step, time = batch.column("step"), batch.column("time")
    tests: list[tuple[Fate, Callable[[], pa.Array]]] = [
        (limits.null_step, step.is_null),
        (limits.fractional_step, lambda: batch.column("step_frac").is_valid()),
        (limits.negative_step, lambda: pc.less(step, 0)),
        (limits.step_beyond, lambda: pc.greater(step, limits.max_step)),
        (limits.null_time, time.is_null),
        (limits.negative_time, lambda: pc.less(time.cast(pa.int64()), 0)),
    ]
    if "value" in batch.schema.names:
        value = batch.column("value")
        tests += [
            (limits.nan, lambda: pc.is_nan(value)),
            (limits.infinity, lambda: pc.is_inf(value)),
            (limits.null_value, value.is_null),
            (limits.inexact_int, lambda: batch.column("value_i64").is_valid()),
        ]
    if "text" in batch.schema.names:
        text = batch.column("text")
        longest = limits.max_text_length
        tests.append((limits.long_text, lambda: pc.greater(pc.utf8_length(text), longest)))
    masks = [test() for fate, test in tests if fate is Fate.DROPPED]
    for mask in masks[1:]:
        masks[0] = pc.or_kleene(masks[0], mask)
    return without(batch, masks[0]) if masks else batch
