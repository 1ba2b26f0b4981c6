"""Times in the spellings that records and files use. Nothing here raises, whatever stands there."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta

from runferry.model import Tree

NS = 1_000_000_000
_MOST_NS = 2**63 - 1  # what every store of times holds: the years 1677 to 2262
_ISO = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def time_ns_of(value: Tree) -> int | None:
    """Nanoseconds since the epoch; None for what is no time, or is beyond the years 1677–2262.

    An int is nanoseconds, a mapping has seconds and nanos, a text is ISO 8601, UTC unless it says
    otherwise.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return _bounded(value)
    if isinstance(value, dict):
        seconds, nanos = _whole(value.get("seconds", 0)), _whole(value.get("nanos", 0))
        return None if not value or seconds is None or nanos is None else _sum(seconds, nanos)
    found = _ISO.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    zone = "+00:00" if found[3] in (None, "Z") else found[3]
    try:
        whole = datetime.fromisoformat(found[1] + zone) - _EPOCH
    except (ValueError, OverflowError):  # the 99th of a month; the year 0
        return None
    return _sum(whole // timedelta(seconds=1), int((found[2] or "0").ljust(9, "0")))


def seconds_ns(seconds: Tree) -> int | None:
    """Seconds since the epoch as nanoseconds, by the rule of `_native.WandbBatch.points`.

    None where the nearest nanosecond does not give the same double back.
    """
    if isinstance(seconds, bool):
        return None
    if isinstance(seconds, int):
        return _bounded(seconds * NS)
    if not isinstance(seconds, float) or not math.isfinite(seconds):
        return None
    whole = math.floor(seconds)
    found = _sum(whole, round((seconds - whole) * NS))
    return found if found is not None and found / NS == seconds else None


def duration_ns(seconds: Tree) -> int | None:
    """A length of time; None for what is none."""
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        return None
    if not 0 <= seconds < _MOST_NS // NS:  # NaN is not, either
        return None
    return round(seconds * NS)


def rfc3339(time_ns: int) -> Tree:
    """A time as text, to the nanosecond, as W&B itself spells it; far ones stay a number."""
    if _bounded(time_ns) is None:
        return time_ns
    seconds, below = divmod(time_ns, NS)
    digits = f".{below:09}".rstrip("0") if below else ""
    return f"{(_EPOCH + timedelta(seconds=seconds)):%Y-%m-%dT%H:%M:%S}{digits}Z"


def _whole(value: Tree) -> int | None:
    """An integer, also as the text that JSON of protobuf gives it."""
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,19}", value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _sum(seconds: int, nanos: int) -> int | None:
    return _bounded(seconds * NS + nanos)


def _bounded(time_ns: int) -> int | None:
    return time_ns if -_MOST_NS <= time_ns <= _MOST_NS else None
