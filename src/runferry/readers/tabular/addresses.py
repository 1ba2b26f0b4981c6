"""Steps and times of rows, from the columns that hold them.

A value that an address cannot give back exactly stays a value of the column's own series: a step
that is no number, a time that is none. Nothing is guessed from other rows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from runferry.readers.tabular.cells import BOOL, NULL, Flags, Ints, Numbers, Words, as_array, flags
from runferry.tables import TIME

_NS = 1_000_000_000
_MILLIONTHS = 1_000_000
_FIRST_EPOCH = 1e8  # seconds: March 1973; what is less tells a duration, not a time
_UNITS = ((1e11, 1.0), (1e14, 1e3), (1e17, 1e6), (np.inf, 1e9))  # below → parts of a second
_LAST = 9.2e9  # seconds: in the year 2261, the last that nanoseconds in 64 bits reach
_MOST = 2.0**63
_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(?:(:\d\d)(?:[.,](\d{1,9}))?)?)?\s*(Z|[+-]\d\d:?\d\d)?"
)
_PLAIN = (
    r"^(?:19|20)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])"  # of days that every month has
    r"[T ](?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|\+00:00)?$"
)
_OF_UTC = r"(?:Z|\+00:00)$"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Addresses:
    """Step and time of every row of a block."""

    step: Ints
    has_step: Flags
    fraction: NDArray[np.int32]  # millionths above the step; 0 where it is whole
    time_ns: Ints
    has_time: Flags
    naive: int = 0  # times that name no zone

    @classmethod
    def none(cls, rows: int) -> Addresses:
        """Rows without step and time."""
        zeros, false = np.zeros(rows, np.int64), np.zeros(rows, np.bool_)
        return cls(zeros, false, np.zeros(rows, np.int32), zeros.copy(), false.copy())

    def columns(self, row: Ints) -> dict[str, pa.Array]:
        """The address columns of a table, for values in these rows."""
        fraction = self.fraction[row]
        below = (self.time_ns % 1000).astype(np.int16)[row]
        timeless = ~self.has_time[row]
        return {
            "step": pa.array(self.step[row], mask=~self.has_step[row]),
            "step_frac": pa.array(fraction, mask=fraction == 0),
            "time": pa.array((self.time_ns // 1000)[row], mask=timeless).cast(TIME),
            "time_ns": pa.array(below, mask=timeless | (below == 0)),
        }


def take_steps(numbers: Numbers, column: int, into: Addresses) -> Flags:
    """Which of the numbers became steps, and are given back exactly by these."""
    at = _counted(numbers, column)
    value = numbers.value[at]
    is_whole = numbers.is_exact[at] | (np.isfinite(value) & (value == np.floor(value)))
    is_whole &= numbers.is_exact[at] | (np.abs(value) < _MOST) | (value == -_MOST)
    whole = at[is_whole]
    steps = _integers(numbers, whole)
    _put_steps(into, numbers.row[whole], steps, np.zeros(len(whole), np.int32))
    taken = np.zeros(len(numbers), np.bool_)
    taken[whole] = True
    part = at[~is_whole & (np.abs(value) < 2**52)]
    floor = np.floor(numbers.value[part])
    millionths = np.rint((numbers.value[part] - floor) * _MILLIONTHS)
    carried = millionths == _MILLIONTHS
    floor, millionths = floor + carried, np.where(carried, 0, millionths)
    _put_steps(into, numbers.row[part], floor.astype(np.int64), millionths.astype(np.int32))
    taken[part[floor + millionths / _MILLIONTHS == numbers.value[part]]] = True
    return taken


def _counted(numbers: Numbers, column: int) -> Ints:
    """Places of the column's values that are numbers: neither true or false, nor a null."""
    return np.flatnonzero((numbers.column == column) & ~np.isin(numbers.kind, (BOOL, NULL)))


def _integers(numbers: Numbers, at: Ints) -> Ints:
    with np.errstate(invalid="ignore"):  # beyond 64 bits are only doubles that stand for integers
        floors = np.floor(numbers.value[at]).astype(np.int64)
    return np.where(numbers.is_exact[at], numbers.exact[at], floors)


def _put_steps(into: Addresses, row: Ints, step: Ints, fraction: NDArray[np.int32]) -> None:
    into.step[row], into.fraction[row], into.has_step[row] = step, fraction, True


def take_times(numbers: Numbers, column: int, into: Addresses, origin_ns: int | None) -> Flags:
    """Which of the numbers became times.

    Seconds, milli-, micro- or nanoseconds since 1970, by their size; with an origin, seconds since
    then. Only a time from which the very number can be had again is taken.
    """
    at = _counted(numbers, column)
    at = at[np.isfinite(numbers.value[at])]
    value = numbers.value[at]
    parts = np.ones(len(at))
    if origin_ns is None:
        size = np.abs(value)
        for limit, unit in reversed(_UNITS):
            parts[size < limit] = unit
        is_time = (size >= _FIRST_EPOCH) & (size / parts < _LAST)
    else:
        is_time = np.abs(value) < 1e9
    at, value, parts = at[is_time], value[is_time], parts[is_time]
    scale = (_NS / parts).astype(np.int64)
    below = np.rint((value - np.floor(value)) * scale).astype(np.int64)
    time_ns = _integers(numbers, at) * scale + below
    # from 2**53 on a nanosecond is finer than a double: the nearest one always leads back
    same = numbers.is_exact[at] | (np.abs(time_ns) >= 2**53) | (time_ns / scale == value)
    at, time_ns = at[same], time_ns[same] + (origin_ns or 0)
    into.time_ns[numbers.row[at]], into.has_time[numbers.row[at]] = time_ns, True
    taken = np.zeros(len(numbers), np.bool_)
    taken[at] = True
    return taken


def take_dates(words: Words, column: int, into: Addresses, zone: tzinfo) -> Flags:
    """Which of the texts are times as ISO 8601 has them."""
    at = np.flatnonzero((words.column == column) & ~words.is_json)
    taken = np.zeros(len(words), np.bool_)
    texts = words.text.take(pa.array(at))
    is_plain = _take_plain(texts, words.row[at], into, zone)
    taken[at[is_plain]] = True
    others = texts.filter(pa.array(~is_plain)).to_pylist()
    for place, text in zip(at[~is_plain].tolist(), others, strict=True):
        found = instant_of(text, zone)
        if found is None:
            continue
        time_ns, is_naive = found
        row = words.row[place]
        into.time_ns[row], into.has_time[row] = time_ns, True
        into.naive += is_naive
        taken[place] = True
    return taken


def _take_plain(texts: pa.Array, row: Ints, into: Addresses, zone: tzinfo) -> Flags:
    """Which of the texts are UTC times in the most common form: these are taken all together."""
    is_plain = flags(pc.match_substring_regex(texts, _PLAIN))
    is_naive = ~flags(pc.match_substring_regex(texts, _OF_UTC))
    if zone is not UTC:
        is_plain &= ~is_naive
    plain = pc.replace_substring_regex(texts.filter(pa.array(is_plain)), _OF_UTC, "")
    time_ns = pc.cast(plain, pa.timestamp("ns")).cast(pa.int64())
    into.time_ns[row[is_plain]] = as_array(time_ns)
    into.has_time[row[is_plain]] = True
    into.naive += int((is_plain & is_naive).sum())
    return is_plain


def instant_of(text: str, zone: tzinfo) -> tuple[int, bool] | None:
    """UTC nanoseconds of an ISO 8601 text, and whether it named no zone; None for what is none."""
    found = _ISO.fullmatch(text.strip())
    if found is None:
        return None
    date, minutes, seconds, digits, offset = found.groups()
    spelled = f"{date}T{minutes or '00:00'}{seconds or ':00'}"
    try:
        moment = datetime.fromisoformat(spelled + ("+00:00" if offset == "Z" else offset or ""))
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
        whole = (moment - _EPOCH) // timedelta(seconds=1)
    except (ValueError, OverflowError):  # the 30th of February
        return None
    time_ns = whole * _NS + int((digits or "0").ljust(9, "0"))
    return (time_ns, offset is None) if abs(time_ns) < 2**63 else None
