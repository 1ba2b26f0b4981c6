"""Series of a server, page by page, with the steps and times that it has.

`fetch_values` of the client holds all of a series at once and makes local times of its times; so
the pages that it is made of are asked for one by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import numpy as np
import pyarrow as pa

from runferry import chunks
from runferry.dialects.neptune.names import stream_of, text_of
from runferry.errors import SourceChanged
from runferry.losses import Fate, Loss, LossLedger
from runferry.model import Address, Blob, DataKind, KeyPath, MediaItem, Tree
from runferry.ports import BATCH_ROWS
from runferry.readers.declared import Declared
from runferry.readers.neptune.addressed import points_batch, texts_batch
from runferry.readers.neptune.logged import float_steps
from runferry.readers.neptune.media import kind_of
from runferry.readers.neptune.server.fetched import opened_in_folder

_PAGE: Final = 1000  # as the client asks
_KINDS: Final[dict[str, DataKind]] = {
    "FloatSeries": "scalar",
    "StringSeries": "text",
    "FileSeries": "media",
}


@dataclass
class ServedSeries:
    """The series of one container; `done` says for each how many values, and the last `seq`.

    `seq` is the time of a value in microseconds, moved up where two of a series would share it: so
    it is the order in which all values were logged.
    """

    declared: Declared
    where: str
    done: dict[str, Tree] = field(default_factory=dict)
    losses: LossLedger = field(default_factory=LossLedger)
    _held: dict[DataKind, list[dict[str, pa.Array]]] = field(default_factory=dict)
    _rows: int = 0

    def read(self, path: KeyPath, attribute: Any) -> Iterator[chunks.Chunk]:
        """The values that have not been read. Raises SourceChanged where some are gone."""
        kind = _KINDS[type(attribute).__name__]
        name = text_of(path)
        count, last = self._known(name)
        total = self._total(attribute, kind, count)
        if total < count:
            what = f"{name} had {count:,} values, and now has {total:,}"
            raise SourceChanged(what, where=self.where, hint="pull the run into a new archive")
        stream = stream_of(path)
        key = self.declared.keys.key(path, stream)
        series = self.declared.missing(key, path, stream, kind)
        if series is not None:
            yield chunks.SeriesFacts((series,))
        if kind == "media":
            yield from self._media(key, attribute, count, total)
            self.done[name] = [total, last]
            return
        while count < total:
            page = attribute._fetch_values_from_backend(count, _PAGE).values
            if not page:
                break
            last = self._take(key, kind, page, last)
            count += len(page)
            if self._rows >= BATCH_ROWS - _PAGE:
                yield from self.drain()
        self.done[name] = [count, last]
        if count < total:
            why = f"the server counts {total:,} values and gave fewer; the next pull asks again"
            self.losses.add(Loss("missing-values", Fate.DROPPED, key, total - count, why))

    def _known(self, name: str) -> tuple[int, int]:
        match self.done.get(name):
            case [int(count), int(last)]:
                return count, last
        return 0, -1

    def _total(self, attribute: Any, kind: DataKind, count: int) -> int:
        if kind == "media":
            asked = (attribute._container_id, attribute._container_type, attribute._path, 0, 1)
            return int(attribute._backend.get_image_series_values(*asked).totalItemCount)
        return int(attribute._fetch_values_from_backend(count, 1).totalItemCount)

    def _take(self, key: str, kind: DataKind, page: list[Any], last: int) -> int:
        """One page; gives the last number of a row."""
        millis = np.array([one.timestampMillis for one in page], np.int64)
        numbers = _rising(millis * 1000, last)
        step, fraction, rounded, unusable = float_steps([one.step for one in page])
        why = "steps are kept to six places, as Neptune keeps them"
        self.losses.add(Loss("rounded-step", Fate.ROUNDED, key, rounded, why))
        why = "a step that is none; the value is kept without it"
        self.losses.add(Loss("bad-step", Fate.DROPPED, key, unusable, why))
        type_ = pa.float64() if kind == "scalar" else pa.string()
        columns = {
            "key": pa.array([key] * len(page), pa.string()),
            "step": step,
            "step_frac": fraction,
            "time": pa.array(millis * 1000, pa.int64()).cast(pa.timestamp("us", tz="UTC")),
            "seq": pa.array(numbers),
            "values": pa.array([one.value for one in page], type_, from_pandas=False),
        }
        self._held.setdefault(kind, []).append(columns)
        self._rows += len(page)
        return int(numbers[-1])

    def _media(self, key: str, attribute: Any, count: int, total: int) -> Iterator[chunks.Chunk]:
        """Images by their index: a server tells how many there are, and no more than that."""
        for index in range(count, total):
            download = partial(_download_image, attribute, index)
            blob = Blob(None, "image/png", None, partial(opened_in_folder, download, self.where))
            at = Address(index, index)
            yield chunks.Media((MediaItem(key, at, kind_of("image/png"), blob),))
        if count < total:
            why = "a server tells no steps and times of images: their order is the step"
            self.losses.add(Loss("image-address", Fate.ROUNDED, key, total - count, why))

    def drain(self) -> Iterator[chunks.Chunk]:
        """All that was collected; nothing is held afterwards."""
        for kind, parts in self._held.items():
            columns = {name: pa.concat_arrays([one[name] for one in parts]) for name in parts[0]}
            values = columns.pop("values")
            columns["key"] = columns["key"].dictionary_encode()
            if kind == "scalar":
                yield chunks.Points(points_batch(columns, values))
            else:
                yield chunks.Texts(texts_batch(columns, values))
        self._held, self._rows = {}, 0


def _rising(times: np.ndarray[Any, np.dtype[np.int64]], last: int) -> Any:
    """The times, each moved up so that it is greater than the one before."""
    places = np.arange(len(times), dtype=np.int64)
    return np.maximum(np.maximum.accumulate(times - places), last + 1) + places


def _download_image(attribute: Any, index: int, destination: str) -> None:
    attribute._backend.download_file_series_by_index(
        attribute._container_id,
        attribute._container_type,
        attribute._path,
        index,
        destination,
        None,
    )
