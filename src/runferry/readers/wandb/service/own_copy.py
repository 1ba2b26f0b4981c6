"""A copy of ours in the service without what W&B was only shown, or added itself."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
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
from runferry.dialects.wandb.service_tables import CONSOLE_FILE, ROWS_FILE
from runferry.losses import Fate, Loss
from runferry.model import Attribute, Series
from runferry.readers.wandb.service.files import RunFiles, ServedFile
from runferry.readers.wandb.service.own_tables import OwnRows, console_file, rows_in
from runferry.tables import KEY, POINT_KINDS

_RUNTIME: Final = "_runtime"
_ADDED_FILES: Final = frozenset(
    {
        "config.yaml",
        "wandb-summary.json",
        "wandb-metadata.json",
        "output.log",
        COPY_FILE,
        ROWS_FILE,
        CONSOLE_FILE,
    }
)
"""What `wandb sync` makes from the records, and what we put beside them."""
_AT_MOST: Final = 64 << 20
_NULL: Final = "null"
_NOTHING, _INT, _BOOL = (POINT_KINDS.index(kind) for kind in (_NULL, "int", "bool"))
_FLOATS = [POINT_KINDS.index(kind) for kind in ("float64", "float32")]


@dataclass(frozen=True, slots=True)
class OwnCopy:
    """What lies beside a run of ours; rows and console only where nobody logged more since."""

    said: ServiceCopy
    is_as_sent: bool
    rows: OwnRows | None = None
    console: ServedFile | None = None


def copy_in(files: RunFiles, node: dict[str, Any]) -> tuple[OwnCopy | None, tuple[Loss, ...]]:
    """What we know of the run besides, and what is told where that cannot be had."""
    page = node.get("files") or {}
    file = files.first_of(page, COPY_FILE)
    if file is None or file.url is None or (file.size or 0) > _AT_MOST:
        return None, ()
    try:
        said = ServiceCopy.of(files.content(file))
    except (FileNotFoundError, *MALFORMED) as error:
        detail = f"not what runferry writes: {error}"
        return None, (Loss("unreadable-file", Fate.DROPPED, COPY_FILE, 1, detail),)
    if node.get("historyLineCount") != said.rows:
        return OwnCopy(said, is_as_sent=False), ()
    rows, losses = rows_in(files, page)
    return OwnCopy(said, True, rows, console_file(files, page)), losses


def as_it_was(
    found: Iterator[chunks.Chunk],
    mark: ServiceMark,
    copy: OwnCopy | None,
    known: tuple[Series, ...] = (),
) -> Iterator[chunks.Chunk]:
    """The chunks of a run that we uploaded, as far as they are the run's own.

    `known` are the series that an earlier read has declared.
    """
    own = _own(found, mark)
    for chunk in own if copy is None else _exact(own, copy, known):
        if isinstance(chunk, chunks.Header):
            yield chunks.Header(replace(chunk.run, origin_uid=mark.uid))
        else:
            yield chunk


def _own(found: Iterator[chunks.Chunk], mark: ServiceMark) -> Iterator[chunks.Chunk]:
    """The same without what W&B was only shown, or added."""
    for chunk in found:
        match chunk:
            case chunks.File(path) if path in _ADDED_FILES:
                continue
            case chunks.Attributes(items, is_whole):
                own = tuple(item for item in items if not _is_added(item, mark))
                yield chunks.Attributes(own, is_whole)
            case chunks.SeriesFacts(items) if mark.shows_runtime:
                own_series = tuple(one for one in items if one.path != (_RUNTIME,))
                if own_series:
                    yield chunks.SeriesFacts(own_series)
            case chunks.Points(batch) if mark.shows_runtime:
                rows = _without_runtime(batch)
                if rows.num_rows:
                    yield chunks.Points(rows)
            case _:
                yield chunk


def _exact(
    found: Iterator[chunks.Chunk], own: OwnCopy, known: tuple[Series, ...]
) -> Iterator[chunks.Chunk]:
    """The same in the form in which it was."""
    copy = own.said
    kinds = {one.key: _kinds(one, copy) for one in known}
    system = {one.key for one in known if one.stream == "system"}
    for shown in found:
        chunk = shown if own.rows is None else own.rows.restored(shown, system)
        match chunk:
            case chunks.Header(run):
                yield chunks.Header(copy.header(run))
            case chunks.Attributes(items, is_whole):
                stated = (item for item in items if not _is_of_header(item, copy))
                exact = tuple(map(copy.attribute, stated))
                whole = copy.with_beside(exact, is_as_sent=own.is_as_sent)
                yield chunks.Attributes(whole, is_whole)
            case chunks.File(path, _, blob) if path in copy.files:
                original, role = copy.files[path]
                media_type = mimetypes.guess_type(original)[0]
                yield chunks.File(original, role, replace(blob, media_type=media_type))
            case chunks.SeriesFacts(items):
                kinds |= {one.key: _kinds(one, copy) for one in items}
                system |= {one.key for one in items if one.stream == "system"}
                yield chunk
            case chunks.Points(batch):
                yield chunks.Points(of_kinds(batch, kinds))
            case _:
                yield chunk


def _kinds(series: Series, copy: ServiceCopy) -> Kinds:
    return copy.series.get((series.stream, series.path), Kinds())


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
