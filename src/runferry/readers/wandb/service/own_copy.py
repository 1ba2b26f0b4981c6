"""A copy of ours in the service without what W&B was only shown, or added itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from runferry import chunks
from runferry.dialects.wandb.marks import ADDED_SUMMARY, ServiceMark
from runferry.dialects.wandb.own_files import MALFORMED
from runferry.dialects.wandb.service_copy import (
    ADDED_ENVIRONMENT,
    COPY_FILE,
    Kinds,
    ServiceCopy,
    is_whole,
)
from runferry.losses import Fate, Loss
from runferry.model import Attribute
from runferry.readers.wandb.service.files import RunFiles
from runferry.tables import KEY, POINT_KINDS

_RUNTIME: Final = "_runtime"
_ADDED_FILES: Final = frozenset(
    {"config.yaml", "wandb-summary.json", "wandb-metadata.json", "output.log", COPY_FILE}
)
"""What `wandb sync` makes from the records, and what we put beside them."""
_AT_MOST: Final = 64 << 20
_NULL: Final = "null"
_NOTHING, _INT, _BOOL = (POINT_KINDS.index(kind) for kind in (_NULL, "int", "bool"))
_FLOATS = [POINT_KINDS.index(kind) for kind in ("float64", "float32")]


def copy_in(files: RunFiles, page: dict[str, Any]) -> tuple[ServiceCopy | None, tuple[Loss, ...]]:
    """What we know of the run besides, and what is told where that cannot be had."""
    file = files.first_of(page, COPY_FILE)
    if file is None or file.url is None or (file.size or 0) > _AT_MOST:
        return None, ()
    try:
        return ServiceCopy.of(files.content(file)), ()
    except (FileNotFoundError, *MALFORMED) as error:
        detail = f"not what runferry writes: {error}"
        return None, (Loss("unreadable-file", Fate.DROPPED, COPY_FILE, 1, detail),)


def as_it_was(
    found: Iterator[chunks.Chunk], mark: ServiceMark, copy: ServiceCopy | None
) -> Iterator[chunks.Chunk]:
    """The chunks of a run that we uploaded, as far as they are the run's own."""
    kinds: dict[str, Kinds] = {}
    for chunk in found if copy is None else _exact(found, copy, kinds):
        match chunk:
            case chunks.Attributes(items, is_whole):
                own = tuple(item for item in items if not _is_added(item, mark))
                yield chunks.Attributes(own, is_whole)
            case chunks.File(path) if path in _ADDED_FILES:
                continue
            case chunks.SeriesFacts(items) if mark.shows_runtime:
                own_series = tuple(one for one in items if one.path != (_RUNTIME,))
                if own_series:
                    yield chunks.SeriesFacts(own_series)
            case chunks.Points(batch) if mark.shows_runtime:
                rows = _without_runtime(batch)
                if rows.num_rows:
                    yield chunks.Points(rows)
            case chunks.Header(run):
                yield chunks.Header(replace(run, origin_uid=mark.uid))
            case _:
                yield chunk


def _exact(
    found: Iterator[chunks.Chunk], copy: ServiceCopy, kinds: dict[str, Kinds]
) -> Iterator[chunks.Chunk]:
    """The same in the form in which it was; `kinds` are those of the series so far."""
    for chunk in found:
        match chunk:
            case chunks.Header(run):
                yield chunks.Header(copy.header(run))
            case chunks.Attributes(items, is_whole):
                own = (item for item in items if not _is_of_header(item, copy))
                yield chunks.Attributes(tuple(map(copy.attribute, own)), is_whole)
            case chunks.SeriesFacts(items):
                for one in items:
                    kinds[one.key] = copy.series.get((one.stream, one.path), Kinds())
                yield chunk
            case chunks.Points(batch):
                yield chunks.Points(of_kinds(batch, kinds))
            case _:
                yield chunk


def _is_of_header(item: Attribute, copy: ServiceCopy) -> bool:
    """Whether W&B states it in the environment because the header does."""
    if item.role != "environment" or len(item.path) != 1:
        return False
    (name,) = item.path
    return name in ADDED_ENVIRONMENT and name not in copy.stated


def of_kinds(batch: pa.RecordBatch, kinds: Mapping[str, Kinds]) -> pa.RecordBatch:
    """Points of the kinds that the numbers of their series were of, where they can be."""
    keys = batch.column("key")
    of_key = [kinds.get(key, Kinds()) for key in keys.dictionary.to_pylist()]
    names = [(one.fraction or _NULL, one.whole or _NULL) for one in of_key]
    wanted = np.array([[POINT_KINDS.index(name) for name in pair] for pair in names], np.int8)
    column = batch.column("kind")
    numbers = np.array([POINT_KINDS.index(word) for word in column.dictionary.to_pylist()], np.int8)
    found = numbers[column.indices.to_numpy()]
    whole = is_whole(batch.column("value"))
    wanted = wanted.reshape(-1, 2)[keys.indices.to_numpy(), whole.astype(np.int8)]
    values = batch.column("value").fill_null(0.5).to_numpy()
    can_be = np.isin(wanted, _FLOATS) | (wanted == _INT) & whole
    can_be |= (wanted == _BOOL) & ((values == 0) | (values == 1))
    taken = np.where(can_be & (found != _NOTHING) & (found != _BOOL), wanted, found)
    at = batch.schema.get_field_index("kind")
    spelled = pa.DictionaryArray.from_arrays(pa.array(taken), pa.array(POINT_KINDS))
    exact = batch.column("value_i64")
    at_exact = batch.schema.get_field_index("value_i64")
    kept = pc.if_else(pa.array(taken == _INT), exact, pa.nulls(len(exact), exact.type))
    batch = batch.set_column(at_exact, batch.schema.field(at_exact), kept)
    return batch.set_column(at, batch.schema.field(at), spelled)


def _is_added(item: Attribute, mark: ServiceMark) -> bool:
    if item.path[0] == "_wandb":
        return True
    is_summary = item.role == "summary"
    return is_summary and (mark.shows_summary or item.path[0] in ADDED_SUMMARY)


def _without_runtime(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The rows of other series; the dictionary of keys forgets it too."""
    keys = batch.column("key").cast(pa.string())
    is_own = pc.not_equal(keys, _RUNTIME)
    named = keys.filter(is_own).dictionary_encode().cast(KEY)
    at = batch.schema.get_field_index("key")
    return batch.filter(is_own).set_column(at, batch.schema.field(at), named)
