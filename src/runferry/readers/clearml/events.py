"""Events as chunks: scalars, vectors, plots, debug samples."""

from __future__ import annotations

import base64
import math
import mimetypes
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from runferry.chunks import Chunk, Lost, Media, Raw
from runferry.dialects.clearml.names import (
    PLOT,
    SAMPLE,
    SCALAR,
    SINGLE_ITERATION,
    VECTOR,
    Event,
    stream_of,
)
from runferry.losses import Fate, Loss
from runferry.model import (
    Address,
    Attribute,
    Blob,
    KeyPath,
    MediaItem,
    MediaType,
    Series,
    Tree,
)
from runferry.readers.clearml.scalar_columns import ScalarColumns
from runferry.readers.row_batches import scalar_of, whole_step
from runferry.readers.run_folders.logged_rows import LoggedRows
from runferry.redact import without_credentials
from runferry.tables import dumps

SampleBlob = Callable[[str | None, str | None, str | None], Blob]
"""Key, URL and media type of a debug sample → its bytes."""

_NS_A_MS: Final = 1_000_000
_KNOWN: Final[dict[str, MediaType]] = {"image": "image", "audio": "audio", "video": "video"}
_PLOT_AT_MOST: Final = 1 << 30
_MOST_MS: Final = 2**63 // _NS_A_MS


class EventRows:
    """Turns the events of one task into rows, each with a source row of its own."""

    def __init__(
        self, task_id: str, sample: SampleBlob, known: tuple[Series, ...] = (), seq: int = 0
    ) -> None:
        """`known` and `seq` are the series and the source rows of an earlier read."""
        self._task_id = task_id
        self._sample = sample
        self._rows = LoggedRows(known)
        self._scalars = ScalarColumns()
        self._seq = seq
        self._singles: dict[str, Attribute] = {}
        self._odd: Counter[str] = Counter()  # fields that are not what they should be

    @property
    def seq(self) -> int:
        """The source row of the next event."""
        return self._seq

    @property
    def singles(self) -> tuple[Attribute, ...]:
        """Values that were reported by themselves, as the summary."""
        return tuple(self._singles.values())

    def take(self, event: Event) -> bool:
        """Whether an event was a plain scalar of a known series, and waits now; else `add` it."""
        task = event.get("task")
        if not (task is None or task == self._task_id) or not self._scalars.take(event, self._seq):
            return False
        self._seq += 1
        return True

    @property
    def is_full(self) -> bool:
        """Whether what was taken is to be drained."""
        return self._scalars.is_full

    def add(self, event: Event) -> Iterator[Chunk]:
        """What becomes full by one event."""
        seq = self._seq
        self._seq += 1
        kind, path = event.get("type"), self._path(event)
        if path is None:
            yield self._raw(event, "an event without title and series", seq)
            return
        at = self._address(event, seq)
        if kind == SCALAR and "value" in event:
            yield from self._scalar(event, path, at)
        elif kind == VECTOR and isinstance(values := _values(event), list):
            yield from self._rows.add(at, [(path, values)], stream_of(path))
        elif kind == PLOT and (plot := _plot(event)) is not None:
            blob = Blob.from_bytes(plot, "application/json")
            yield from self._media(path, at, "plot", blob, None)
        elif kind == SAMPLE and (event.get("url") or event.get("key")):
            yield from self._debug_sample(event, path, at)
        else:
            yield self._raw(event, "an event of a type that nothing here holds", seq)

    def drain(self) -> Iterator[Chunk]:
        """What was collected; of a key all rows wait in one place."""
        yield from self._rows.drain()
        yield from self._scalars.drain()
        self._scalars.avoided.clear()

    def losses(self) -> Iterator[Lost]:
        """What events said that no row holds."""
        yield from odd_fields(self._odd)

    def _address(self, event: Event, seq: int) -> Address:
        """The iteration as the step; a value that was reported by itself has none."""
        step, time_ns = whole_step(event.get("iter")), time_ns_of_event(event)
        self._odd["iter"] += step is None and event.get("iter") is not None
        self._odd["timestamp"] += time_ns is None and event.get("timestamp") is not None
        return Address(seq, None if step == SINGLE_ITERATION else step, None, time_ns)

    def _path(self, event: Event) -> KeyPath | None:
        """Title and series; for a model's own events behind the model's id."""
        metric, variant = event.get("metric"), event.get("variant")
        if metric is None and variant is None:
            return None
        plain = (str(metric or ""), str(variant or ""))
        task = event.get("task")
        if task is None or task == self._task_id:
            return plain
        return (str(task), *plain)

    def _scalar(self, event: Event, path: KeyPath, at: Address) -> Iterator[Chunk]:
        value, stream = event["value"], stream_of(path)
        scalar = scalar_of(value)
        if event.get("iter") == SINGLE_ITERATION and scalar is not None:
            self._singles[path[-1]] = Attribute((path[-1],), "summary", value)
        if scalar is None:
            yield from self._rows.add(at, [(path, value)], stream)
            return
        key, declared = self._rows.declare(path, "scalar", stream)
        yield from declared
        place = (event.get("metric"), event.get("variant"))
        if len(path) == len(place) and place == path:  # not so where one is no text, or a model's
            self._scalars.keys[path[0], path[1]] = key
            if self._scalars.take(event, at.seq):
                return
        if self._scalars.holds(key):
            yield from self._scalars.drain()
        self._scalars.avoided.add(key)
        yield from self._rows.add(at, [(path, value)], stream)

    def _debug_sample(self, event: Event, path: KeyPath, at: Address) -> Iterator[Chunk]:
        key, url = event.get("key"), event.get("url")
        place = without_credentials(str(key or url), is_location=True)
        media_type, _ = mimetypes.guess_type(place.partition("?")[0])
        blob = self._sample(
            None if key is None else str(key), None if url is None else str(url), media_type
        )
        yield from self._media(path, at, _kind_of(media_type), blob, place, _elsewhere(url))

    def _media(
        self,
        path: KeyPath,
        at: Address,
        kind: MediaType,
        blob: Blob,
        place: str | None,
        metadata: Tree = None,
    ) -> Iterator[Chunk]:
        key, declared = self._rows.declare(path, "media")
        yield from declared
        yield Media((MediaItem(key, at, kind, blob, path=place, metadata=metadata),))

    def _raw(self, event: Tree, reason: str, seq: int) -> Raw:
        kind = event.get("type") if isinstance(event, dict) else None
        return Raw(str(kind or "event"), reason, dumps(event).encode(), seq)


def time_ns_of_event(event: Event) -> int | None:
    """Milliseconds since the epoch as nanoseconds."""
    stated = event.get("timestamp")
    if isinstance(stated, bool) or not isinstance(stated, (int, float)):
        return None
    if not math.isfinite(stated) or abs(stated) >= _MOST_MS:
        return None
    return int(stated) * _NS_A_MS if isinstance(stated, int) else round(stated * _NS_A_MS)


def odd_fields(counts: Counter[str]) -> Iterator[Lost]:
    """Steps and times of events that are none, by the field."""
    for field, count in counts.items():
        if count:
            why = f"events whose {field} is none"
            yield Lost(Loss(f"odd-{field}", Fate.DROPPED, field, count, why))


def _elsewhere(url: Tree) -> Tree:
    """Where the bytes of a sample lie, if that is no path of the machine that logged it."""
    if url is None or "://" not in str(url) or str(url).startswith("file://"):
        return None
    return {"url": without_credentials(str(url), is_location=True)}


def _values(event: Event) -> Tree:
    """A vector: a server moves it to the field of scalars."""
    return event.get("values", event.get("value"))


def _plot(event: Event) -> bytes | None:
    """A plot's JSON, which a server packs where it is long."""
    if isinstance(event.get("plot_str"), str):
        return bytes(event["plot_str"].encode())
    packed = event.get("plot_data")
    if not isinstance(packed, str):
        return None
    unpacking = zlib.decompressobj()
    try:
        plot = unpacking.decompress(base64.b64decode(packed), _PLOT_AT_MOST)
    except (ValueError, zlib.error):
        return None
    return plot if unpacking.eof else None  # not half of one


def _kind_of(media_type: str | None) -> MediaType:
    word = media_type or ""
    if word == "text/html":
        return "html"
    return _KNOWN.get(word.partition("/")[0], "other")
