"""A run that we pushed: MLflow's own rows, in the exact form that the bundle beside them keeps.

The law: the bundle refines what MLflow holds, never replaces it. Rows that MLflow lost since are
not returned but reported, rows that it gained are. While a push is under way, what MLflow holds
beyond the bundle is in transit: it is counted, and the run is as its last seal left it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from runferry.chunks import (
    Artifact,
    Attributes,
    Chunk,
    Console,
    Document,
    File,
    Header,
    Histograms,
    Lost,
    Media,
    Points,
    SeriesFacts,
    Texts,
)
from runferry.dialects import codec
from runferry.dialects.mlflow.artifacts import Entry
from runferry.dialects.mlflow.header import NativeRun, as_run, restored
from runferry.dialects.mlflow.paths import BUNDLE
from runferry.dialects.mlflow.points import NativePoints, as_native, native_key
from runferry.losses import Fate, Loss
from runferry.model import Attribute, FileRole, MediaItem, Run, Series, Tree
from runferry.readers.mlflow.bundled import BundledParts
from runferry.readers.mlflow.counterparts import Counterparts
from runferry.readers.mlflow.plain import (
    PlainRows,
    artifact_chunks,
    foreign_folder,
    plain_chunks,
    unreachable,
)
from runferry.readers.mlflow.refine import refined_attributes, removed_labels
from runferry.readers.mlflow.registered import Registered
from runferry.readers.mlflow.store import Store
from runferry.readers.renaming import original, renamed
from runferry.tables import CONSOLE, HISTOGRAMS, POINTS, TEXTS

_TABLES: Final = (("texts", TEXTS, Texts), ("histograms", HISTOGRAMS, Histograms))
_ARTIFACT: Final = ("name", "type", "relation", "version", "artifact_id")


def restored_chunks(
    store: Store, native: NativeRun, entries: Mapping[str, Entry]
) -> Iterator[Chunk]:
    """The run's chunks, as `plain_chunks` orders them."""
    folder = store.folder(native)
    parts = BundledParts(folder, entries)
    bundled = parts.header()
    # a run that came out of a destination of ours bears the mark of the one that was sent there
    if bundled is not None and native.uid not in (bundled.uid, bundled.origin_uid):
        yield Lost(foreign_folder(len(entries)))
        yield from plain_chunks(store, native, {})
        return
    attributes = _attributes(native, parts)
    if attributes:
        yield Attributes(attributes)
    series = parts.series()
    if series:
        yield SeriesFacts(tuple(map(original, series.values())))
    keys = {key: original(one).key for key, one in series.items()}
    rows = _rows(series)
    yield from _points(store, native, parts, series, rows)
    for kind, schema, wrap in _TABLES:
        yield from (wrap(renamed(batch, keys)) for batch in parts.batches(kind, schema))
    yield from (Console(batch) for batch in parts.batches("console", CONSOLE))
    registered = Registered(store, native, parts.registered(), parts.losses)
    yield from _small_things(parts, keys, registered)
    strays = {
        path: entry
        for path, entry in entries.items()
        if path not in parts.claimed and not path.startswith(f"{BUNDLE}/")
    }
    if not native.is_in_transit:
        yield from artifact_chunks(native, folder, strays, rows)
    yield from _strangers(store.belongings(native), registered)
    header = registered.header(_header(native, bundled, parts))
    for loss in (*parts.losses, *rows.losses, *store.losses(), *unreachable(folder, native)):
        yield Lost(loss)
    yield Header(header)


def _strangers(
    found: Iterator[Document | Artifact | File | Lost], registered: Registered
) -> Iterator[Chunk]:
    """What lies beside the run and was not pushed with it."""
    for chunk in found:
        is_known = isinstance(chunk, (Document, Artifact)) and registered.knows(chunk)
        if not is_known:
            yield chunk


def _attributes(native: NativeRun, parts: BundledParts) -> tuple[Attribute, ...]:
    if native.is_in_transit:
        return tuple(replace(one.attribute, name=None) for one in parts.attributes())
    return refined_attributes(native, parts.attributes(), parts.losses)


def _header(native: NativeRun, bundled: Run | None, parts: BundledParts) -> Run:
    if bundled is None:
        return as_run(native)
    if native.is_in_transit:
        plain = as_run(native)
        parent = plain.parent or bundled.parent
        return replace(bundled, key=plain.key, origin_uid=native.uid, parent=parent, complete=False)
    removed_labels(native, bundled, parts.losses)
    return restored(native, bundled)


def _rows(series: Mapping[str, Series]) -> PlainRows:
    """Rows that MLflow gained go on in the series that their metric was pushed from."""
    originals = {key: original(one) for key, one in series.items()}
    aliases = {native_key(key, one.stream): originals[key].key for key, one in series.items()}
    return PlainRows(tuple(originals.values()), aliases)


def _points(
    store: Store,
    native: NativeRun,
    parts: BundledParts,
    series: Mapping[str, Series],
    rows: PlainRows,
) -> Iterator[Chunk]:
    """The bundle's rows that MLflow still holds, then those that it gained."""
    names = {key: native_key(key, one.stream) for key, one in series.items()}
    keys = {key: original(one).key for key, one in series.items()}

    def projected() -> Iterator[NativePoints]:
        for batch in parts.batches("points", POINTS):
            yield as_native(batch, names)

    expected = max(store.rows(native.run_id), parts.rows("points"))
    counterparts = Counterparts(lambda: store.metrics(native.run_id), projected, expected)
    for index, batch in enumerate(parts.batches("points", POINTS)):
        rows.seq = max(rows.seq, pc.max(batch.column("seq")).as_py() + 1)
        held = counterparts.held(index, batch.num_rows)
        exact = renamed(batch, keys)
        if not held.all():
            for key, count in _counted(exact.filter(pa.array(~held))):
                parts.losses.add(
                    Loss("removed-from-mlflow", Fate.DROPPED, key, count,
                         "rows that were pushed are no longer in MLflow")
                )  # fmt: skip
            exact = exact.filter(pa.array(held))
        if exact.num_rows:
            yield Points(exact)
    for strangers in counterparts.strangers():
        if native.is_in_transit:
            parts.losses.add(_in_transit(len(strangers)))
        else:
            yield from rows.chunks(strangers)


def _in_transit(rows: int) -> Loss:
    detail = "rows of a push that has not ended: push again to complete the run"
    return Loss("in-transit", Fate.DROPPED, "", rows, detail)


def _counted(batch: pa.RecordBatch) -> Iterator[tuple[str, int]]:
    column = batch.column("key")
    counts = np.bincount(column.indices.to_numpy(zero_copy_only=False))
    for code in np.flatnonzero(counts).tolist():
        yield column.dictionary[code].as_py(), int(counts[code])


def _small_things(
    parts: BundledParts, keys: Mapping[str, str], registered: Registered
) -> Iterator[Chunk]:
    """What is kept as JSON: media, files, artifacts, documents, raw records and losses."""

    def media(tree: Tree) -> MediaItem:
        return codec.media_of(tree, parts.find)

    def file(tree: Tree) -> File:
        fields = cast("dict[str, Tree]", tree)
        path, role = cast("str", fields["path"]), cast("FileRole", fields["role"])
        return File(path, role, parts.find(fields["blob"]))

    for item in parts.items("media", media):
        if parts.is_declared(item.key):
            yield Media((replace(item, key=keys[item.key]),))
    yield from parts.latest("file", file, "path")
    for artifact in parts.latest(
        "artifact", lambda tree: codec.artifact_of(tree, parts.find), *_ARTIFACT
    ):
        if (kept := registered.artifact(artifact)) is not None:
            yield kept
    for document in parts.latest("document", codec.document_of, "kind", "name"):
        if (linked := registered.document(document)) is not None:
            yield linked
    yield from parts.items("raw", codec.raw_of)
    yield from map(Lost, parts.latest("lost", codec.loss_of, "code", "fate", "where"))
