"""Files of events: arrays of JSON objects, one a line, written by the column."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from runferry.dialects.clearml.names import SCALAR, Event
from runferry.dialects.clearml.own_copy import Span
from runferry.ports import BATCH_ROWS
from runferry.writers.clearml.number_texts import number_texts
from runferry.writers.clearml.rising import Rising

_A_LINE: Final = 1_000
"""Events in an array, which the importer sends as one request."""
_BYTES_A_LINE: Final = 4 << 20
_US_A_MS: Final = 1_000
_PLACES: Final = np.arange(BATCH_ROWS) % _A_LINE
_BEGINNINGS: Final = pa.array([",", "["]).take(pa.array((_PLACES == 0).astype(np.int8)))
_ENDS: Final = pa.array(["}", "}]\n"]).take(pa.array((_PLACES == _A_LINE - 1).astype(np.int8)))
"""What stands before and behind each row of a batch."""


class EventFile:
    """One file of events, made when the first is written."""

    def __init__(
        self,
        path: Path,
        task_id: str,
        *,
        is_finite: bool = False,
        also: Callable[[bytes | memoryview], None] | None = None,
    ) -> None:
        """`is_finite`: without NaN and infinities, which a server's index refuses.

        `also` is given all bytes of the file, in order.
        """
        self._path = path
        self._task = task_id
        self._is_finite = is_finite
        self._also = also
        self._file: BinaryIO | None = None
        self._waiting: list[str] = []
        self._waiting_bytes = 0
        self._rising = Rising()
        self._most: Counter[str] = Counter()
        self._fewest: Counter[str] = Counter()

    @property
    def spans(self) -> dict[str, Span]:
        """How many events there are, by type."""
        return {kind: (self._fewest[kind], most) for kind, most in self._most.items()}

    def scalars(self, batch: pa.RecordBatch, title_of: Callable[[str], tuple[str, str]]) -> None:
        """Rows of `tables.POINTS`; a null that was logged is no event."""
        value = batch.column("value")
        batch = batch.filter(pc.is_finite(value) if self._is_finite else value.is_valid())
        rows = batch.num_rows
        if not rows:
            return
        keys = batch.column("key")
        names = keys.dictionary.to_pylist()
        heads = [self._head(*title_of(key)) for key in names]
        steps = pc.coalesce(batch.column("step"), batch.column("seq"))
        texts = pc.binary_join_element_wise(
            _BEGINNINGS.slice(0, rows),
            pa.array(heads, pa.string()).take(keys.indices),
            steps.cast(pa.string()),
            _timestamps(batch.column("time")),
            ',"value":',
            number_texts(batch),
            _ends(rows),
            "",
        )
        self._write(_bytes_of(texts))
        self._most[SCALAR] += rows
        self._fewest[SCALAR] += self._rising.count(
            names,
            keys.indices.to_numpy(zero_copy_only=False),
            steps.to_numpy(zero_copy_only=False),
        )

    def add(self, kind: str, event: Event) -> None:
        """One event; they wait until they are a line."""
        text = json.dumps({"type": kind, "task": self._task, **event}, ensure_ascii=True)
        self._waiting.append(text)
        self._waiting_bytes += len(text)
        self._most[kind] += 1
        place = (kind, event.get("metric"), event.get("variant"))
        if "key" in event or "iter" not in event or self._rising.is_new(place, event["iter"]):
            self._fewest[kind] += 1
        if len(self._waiting) >= _A_LINE or self._waiting_bytes >= _BYTES_A_LINE:
            self._write_waiting()

    def add_all(self, kind: str, events: Iterable[Event]) -> None:
        """Several."""
        for event in events:
            self.add(kind, event)

    def close(self) -> None:
        """Write what waits; harmless when repeated."""
        self._write_waiting()
        if self._file is not None:
            self._file.close()
            self._file = None

    def _head(self, title: str, series: str) -> str:
        head = {"type": SCALAR, "task": self._task, "metric": title, "variant": series}
        return f'{json.dumps(head)[:-1]}, "iter":'

    def _write_waiting(self) -> None:
        if self._waiting:
            self._write(f"[{','.join(self._waiting)}]\n".encode())
        self._waiting, self._waiting_bytes = [], 0

    def _write(self, content: bytes | memoryview) -> None:
        if self._file is None:
            self._file = self._path.open("ab")
        if self._also is not None:
            self._also(content)
        self._file.write(content)


def _ends(rows: int) -> pa.Array:
    """What stands behind each row: the last one of all ends the line too."""
    return pa.concat_arrays([_ENDS.slice(0, rows - 1), pa.array(["}]\n"])])


def _timestamps(times: pa.Array) -> pa.Array:
    """`,"timestamp":<ms>`, or nothing where there is no time."""
    micros = times.view(pa.int64())
    plain = micros.fill_null(0).to_numpy(zero_copy_only=False)
    millis = pa.array(np.floor_divide(plain, _US_A_MS)).cast(pa.string())
    texts = pc.binary_join_element_wise(',"timestamp":', millis, "")
    return texts if not times.null_count else pc.if_else(times.is_valid(), texts, "")


def _bytes_of(texts: pa.Array) -> memoryview:
    """The texts one after the other, as they lie in memory."""
    _, offsets, content = texts.buffers()
    places = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return memoryview(content)[int(places[0]) : int(places[-1])]
