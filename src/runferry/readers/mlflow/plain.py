"""A run that was logged with MLflow itself, as chunks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final, Protocol

import numpy as np

from runferry.chunks import Attributes, Chunk, File, Header, Lost, Media, Points, SeriesFacts
from runferry.dialects.mlflow.artifacts import ArtifactFolder, Entry, NoFolder
from runferry.dialects.mlflow.attributes import params, system_attributes
from runferry.dialects.mlflow.header import NativeRun, as_run
from runferry.dialects.mlflow.points import LARGEST, NativePoints, as_points, path_and_stream
from runferry.dialects.mlflow.tags import TABLES_TAG
from runferry.losses import Fate, Loss, LossLedger
from runferry.model import Address, Blob, KeyPath, MediaItem, MediaType, Series, SeriesKeys
from runferry.readers.mlflow.store import Store

# MLflowClient.log_image: `+` since 3.10, `%` before (mlflow #21085); `/` of the key is `~` or `#`
_IMAGE: Final = re.compile(
    r"images/(?P<key>.+?)(?P<sep>[+%])step(?P=sep)(?P<step>-?\d+)(?P=sep)timestamp(?P=sep)"
    r"(?P<time>\d+)(?P=sep)[0-9a-f-]+\.(?:png|webp)"
)


class BlobFolder(Protocol):
    """Where the bytes of artifacts are."""

    def blob(self, entry: Entry) -> Blob:
        """A file's bytes, read when they are asked for."""
        ...


def plain_chunks(store: Store, native: NativeRun, entries: Mapping[str, Entry]) -> Iterator[Chunk]:
    """Attributes, points, images and tables with steps, files, datasets and models, the header."""
    attributes = params(native) + system_attributes(native)
    if attributes:
        yield Attributes(attributes)
    rows = PlainRows()
    for batch in store.metrics(native.run_id):
        yield from rows.chunks(batch)
    folder = store.folder(native)
    yield from artifact_chunks(native, folder, entries, rows)
    for chunk in store.belongings(native):
        yield _beside(chunk, entries) if isinstance(chunk, File) else chunk
    for loss in (*rows.losses, *store.losses(), *unreachable(folder, native)):
        yield Lost(loss)
    yield Header(as_run(native))


def _beside(file: File, entries: Mapping[str, Entry]) -> File:
    """Under a path that no artifact of the run has."""
    path = file.path
    while path in entries:
        path = f"mlflow/{path}"
    return replace(file, path=path)


class PlainRows:
    """Gives MLflow's rows their series, our keys and a `seq` each."""

    def __init__(
        self, known: tuple[Series, ...] = (), aliases: Mapping[str, str] | None = None
    ) -> None:
        self._keys = SeriesKeys(known)
        self._declared = {series.key for series in known}
        self._aliases = aliases or {}  # metrics that belong to a known series of another key
        self.seq = 0
        self.losses = LossLedger()

    def chunks(self, batch: NativePoints) -> Iterator[Chunk]:
        """The batch, after the series it is the first to need."""
        if not len(batch):
            return
        keys, new = [], []
        for name in batch.keys:
            if name in self._aliases:
                keys.append(self._aliases[name])
                continue
            path, stream = path_and_stream(name)
            key = self._keys.key(path, stream)
            keys.append(key)
            if key not in self._declared:
                self._declared.add(key)
                new.append(Series(key, path, stream))
        if new:
            yield SeriesFacts(tuple(new))
        self._count_infinite(batch, keys)
        yield Points(as_points(batch, keys, self.seq))
        self.seq += len(batch)

    def media(self, path: KeyPath) -> Series:
        """A media series; called once for each."""
        key = self._keys.key(path)
        if key in self._declared:
            path = ("images", *path)  # a metric has this name
            key = self._keys.key(path)
        self._declared.add(key)
        return Series(key, path, kind="media")

    def _count_infinite(self, batch: NativePoints, keys: list[str]) -> None:
        """SQL stores ±Inf as the largest float, so a real one cannot be told from it."""
        found = np.bincount(batch.codes[np.abs(batch.value) == LARGEST], minlength=len(keys))
        for code in np.flatnonzero(found).tolist():
            self.losses.add(
                Loss("largest-float-as-infinity", Fate.REENCODED, keys[code], int(found[code]),
                     "MLflow stores ±Inf as ±1.797e308; such values are read as infinite")
            )  # fmt: skip


def artifact_chunks(
    native: NativeRun,
    folder: BlobFolder,
    entries: Mapping[str, Entry],
    rows: PlainRows,
    known: Mapping[str, str] | None = None,
) -> Iterator[Chunk]:
    """Images and tables as media, all else as files.

    `known` are the keys of media series that were declared before, by their names.
    """
    tables = _table_paths(native)
    media = dict(known or {})
    for path, entry in entries.items():
        image = _IMAGE.fullmatch(path)
        if image:
            key = image["key"].replace("~" if image["sep"] == "+" else "#", "/")
            place = (int(image["step"]), int(image["time"]) * 1_000_000)
            yield from _media((key,), "image", entry, folder, rows, place, media)
        elif path in tables:
            yield from _media((path,), "table", entry, folder, rows, (None, None), media)
        else:
            yield File(path, "other", folder.blob(entry))


def _media(
    path: KeyPath,
    media_type: MediaType,
    entry: Entry,
    folder: BlobFolder,
    rows: PlainRows,
    place: tuple[int | None, int | None],
    known: dict[str, str],
) -> Iterator[Chunk]:
    name = path[0]
    if name in known:
        key = known[name]
    else:
        series = rows.media(path)
        key = known[name] = series.key
        yield SeriesFacts((series,))
    step, time_ns = place
    at = Address(rows.seq, step, None, time_ns)
    rows.seq += 1
    yield Media((MediaItem(key, at, media_type, folder.blob(entry), path=entry.path),))


def _table_paths(native: NativeRun) -> set[str]:
    """What `log_table` noted in a tag; anything else there is somebody else's."""
    try:
        noted = json.loads(native.tags.get(TABLES_TAG, "[]"))
    except (ValueError, RecursionError):
        return set()
    if not isinstance(noted, list):
        return set()
    return {
        str(item["path"])
        for item in noted
        if isinstance(item, dict) and item.get("type") == "table" and "path" in item
    }


def foreign_folder(count: int) -> Loss:
    """An artifact folder that a push filled for another run: nothing in it is this run's."""
    return Loss(
        "foreign-artifacts", Fate.DROPPED, "", count,
        "the run's artifact folder holds what was pushed as another run",
    )  # fmt: skip


def unreachable(folder: ArtifactFolder, native: NativeRun) -> Iterator[Loss]:
    """Artifacts that may exist where we cannot look."""
    if isinstance(folder, NoFolder) and native.artifact_uri:
        yield Loss(
            "unreachable-artifacts", Fate.DROPPED, "", 1,
            "the run's artifacts are kept by a tracking server; read from it to have them",
        )  # fmt: skip
