"""A copy of ours in the service without what W&B was only shown, or added itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from runferry import chunks
from runferry.dialects.wandb.marks import ADDED_SUMMARY, ServiceMark
from runferry.model import Attribute
from runferry.tables import KEY

_RUNTIME: Final = "_runtime"
_ADDED_FILES: Final = frozenset(
    {"config.yaml", "wandb-summary.json", "wandb-metadata.json", "output.log"}
)
"""What `wandb sync` makes from the records."""


def as_it_was(found: Iterator[chunks.Chunk], mark: ServiceMark) -> Iterator[chunks.Chunk]:
    """The chunks of a run that we uploaded, as far as they are the run's own."""
    for chunk in found:
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
