"""What only our own records say of a run, so that W&B's service does not get it: as losses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from runferry.chunks import (
    Artifact,
    Chunk,
    Histograms,
    Media,
    Points,
    SeriesFacts,
    Texts,
)
from runferry.dialects.times import NS
from runferry.losses import Fate, Loss
from runferry.model import Run
from runferry.writers.wandb.media import StoredMedium, is_of_no_kind, metadata_given_otherwise
from runferry.writers.wandb.unsent_artifacts import UnsentArtifacts

_DETAILS: Final = {
    "time": "a row of W&B has one time: that of the last value of its step; system metrics have"
    " what a double of seconds holds",
    "float-bits": "W&B gives -0.0 back as 0, and JSON has one NaN, without sign and payload",
    "counts-kind": "W&B's service gives floats without a fraction back as integers",
    "value": "W&B does not know this kind of media, and has it as a file",
    "media-path": "W&B has them under names of their content",
    "media-metadata": "W&B keeps what its own media have",
}
_TOO_LONG: Final = "W&B takes no row of more than 10 MiB, so this value stays behind"
_GONE: Final = "W&B knows media by their bytes, and these are missing"
_NO_VALUES: Final = "W&B knows series by their values alone"
_NAN_BITS: Final = 0x7FF8_0000_0000_0000


@dataclass
class Unsent:
    """Counted while a run is written."""

    counts: Counter[str] = field(default_factory=Counter)
    by_key: Counter[tuple[str, str]] = field(default_factory=Counter)  # code and key
    artifacts: UnsentArtifacts = field(default_factory=UnsentArtifacts)
    declared: dict[str, None] = field(default_factory=dict)  # keys
    used: set[str] = field(default_factory=set)
    histograms: dict[str, Counter[tuple[str, str]]] = field(default_factory=dict)
    """By key: of which kind their counts are, and are given back where all are of one."""
    gone: Counter[str] = field(default_factory=Counter)  # media without bytes, by key

    def look_at(self, chunk: Chunk, is_user: Callable[[str], bool]) -> None:
        """Count what one chunk has of it; `is_user` tells series from system metrics."""
        self._look_at_keys(chunk)
        match chunk:
            case Points(batch):
                keys = batch.column("key")
                self._count_moved(batch, is_user)
                values = batch.column("value").fill_null(0.5).to_numpy()
                is_odd = np.isnan(values) & (values.view(np.int64) != _NAN_BITS)
                is_minus_zero = (values == 0) & np.signbit(values)
                self._count_keys("float-bits", keys.filter(pa.array(is_minus_zero | is_odd)))
            case Texts(batch):
                self._count_moved(batch, is_user)
            case Histograms(batch):
                names = (batch.column(name).to_pylist() for name in ("key", "counts_kind"))
                given = map(_kind_given_back, batch.column("counts").to_pylist())
                for key, kind, other in zip(*names, given, strict=True):
                    self.histograms.setdefault(key, Counter())[kind, other] += 1
            case Artifact():
                self.artifacts.look_at(chunk)

    def _count_moved(self, batch: pa.RecordBatch, is_user: Callable[[str], bool]) -> None:
        """Of the machine's, whose time a double of seconds does not hold."""
        keys = batch.column("key")
        is_system = np.array([not is_user(key) for key in keys.dictionary.to_pylist()], np.bool_)
        is_moved = is_system[keys.indices.to_numpy()] & _is_no_double(batch)
        self.counts["time"] += int(np.count_nonzero(is_moved))

    def _count_keys(self, code: str, keys: pa.DictionaryArray) -> None:
        for found in pc.value_counts(keys.dictionary_decode()).to_pylist():
            self.by_key[code, found["values"]] += found["counts"]

    def media(self, stored: list[StoredMedium]) -> None:
        """Media as W&B has them: it may call them otherwise, and knows its own metadata."""
        for one in stored:
            if one.file is not None and one.file.below_files != one.item.path:
                self.by_key["media-path", one.item.key] += 1
            if is_of_no_kind(one.item):
                self.by_key["value", one.item.key] += 1
        for item in metadata_given_otherwise(stored):
            self.by_key["media-metadata", item.key] += 1

    def _look_at_keys(self, chunk: Chunk) -> None:
        match chunk:
            case SeriesFacts(items):
                self.declared.update(dict.fromkeys(one.key for one in items))
            case Points(batch) | Texts(batch) | Histograms(batch):
                keys = batch.column("key")
                self.used.update(keys.dictionary.take(pc.unique(keys.indices)).to_pylist())
            case Media(items):
                self.used.update(item.key for item in items if not item.blob.is_missing)
                self.gone.update(item.key for item in items if item.blob.is_missing)
            case _:
                pass  # of no series

    def losses(self, moved_times: int | None, too_long: Mapping[str, int]) -> Iterator[Loss]:
        """What is told of it, also how often nothing happened.

        `moved_times` are values at the time of their row, None where a table beside the run says
        the time of every row; `too_long` are those, by key, for which
        a row of W&B had no room.
        """
        self.counts["time"] = 0 if moved_times is None else self.counts["time"] + moved_times
        for code, count in self.counts.items():
            yield Loss(code, Fate.ROUNDED, "", count, _DETAILS[code])
        for key, kinds in self.histograms.items():
            is_mixed = len({given for _, given in kinds}) > 1  # an export has all of one kind
            self.by_key["counts-kind", key] = sum(
                count for (was, given), count in kinds.items() if is_mixed or was != given
            )
        for (code, key), count in self.by_key.items():
            yield Loss(code, Fate.ROUNDED, key, count, _DETAILS[code])
        for key, count in too_long.items():
            where = key if key in self.declared else ""
            yield Loss("duplicate-point", Fate.DROPPED, where, count, _TOO_LONG)
        for key, count in self.gone.items():
            yield Loss("duplicate-point", Fate.DROPPED, key, count, _GONE)
        for key in self.declared:
            if key not in self.used or key in too_long:
                yield Loss("series-facts", Fate.ROUNDED, key, 1, _NO_VALUES)
        yield from self.artifacts.losses()


def _is_no_double(rows: pa.RecordBatch) -> NDArray[np.bool_]:
    """Of each row, whether its time is none that a double of seconds gives back."""
    micro = rows.column("time").cast(pa.int64()).fill_null(0).to_numpy()
    time_ns = micro * 1000 + rows.column("time_ns").fill_null(0).to_numpy()
    seconds = time_ns / NS
    whole = np.floor(seconds)
    shown = whole.astype(np.int64) * NS + np.rint((seconds - whole) * NS).astype(np.int64)
    return np.asarray((shown != time_ns) | rows.column("time").is_null().to_numpy(False))


def _kind_given_back(counts: list[float] | None) -> str:
    return "int" if counts and all(map(float.is_integer, counts)) else "float64"


def unsent_header(run: Run) -> Iterator[Loss]:
    """What W&B states of every run, and this one had not."""
    if not run.name:
        yield Loss("header-field", Fate.REENCODED, "name", 1, "W&B has the run's id as its name")
