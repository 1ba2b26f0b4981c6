"""The scalars of a log, and the sums that SwanLab's server makes of them."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import pyarrow as pa
import pyarrow.compute as pc

from runferry import _native
from runferry.dialects.swanlab.names import SYSTEM_PREFIX
from runferry.writers.swanlab.vendor_api import asked, unknown

_log = logging.getLogger(__name__)
_CLOSE: Final = 1e-6
_AT_ONCE: Final = 100  # keys of which memory holds the steps that the server has


@dataclass(slots=True)
class Sum:
    """The finite values of one key."""

    step: int = -1  # the last one
    least: float = math.inf
    greatest: float = -math.inf
    total: float = 0.0
    count: int = 0
    is_whole: bool = True  # no other value came with them

    def agrees(self, told: Mapping[str, Any]) -> bool:
        """Whether a server's numbers of the same key are these, as far as it states any."""
        if not self.is_whole or not self.count:
            return True
        size = max(abs(self.least), abs(self.greatest))
        wanted = {"min": self.least, "max": self.greatest, "avg": self.total / self.count}
        stated = {name: told[name] for name in wanted if type(told.get(name)) in (int, float)}
        return all(
            math.isclose(wanted[name], number, rel_tol=_CLOSE, abs_tol=size * _CLOSE)
            for name, number in stated.items()
        )


@dataclass(frozen=True, slots=True)
class SentScalars:
    """What each key of scalars has, where that is a finite value at least."""

    log: Path
    sums: Mapping[str, Sum]
    differs = "the server's least, greatest or mean value is not that of what was sent"

    @classmethod
    def of(cls, log: Path) -> Self:
        """Those of a log."""
        found: dict[str, Sum] = {}
        for points, keys in _points_in(log):
            _add(points, keys, found)
        return cls(log, {key: it for key, it in found.items() if it.count})

    def __len__(self) -> int:
        return len(self.sums)

    def look(self, run: str, folder: Path) -> tuple[list[str], list[str]] | None:
        """See `read_back.Sent`. Nobody says that the machine's own series are summed up: one that
        the server does not name is not missed."""
        told = asked(run, folder, "summary")
        if told is None:
            return None
        try:
            steps = {str(key): int(it["step"]) for key, it in told.items()}
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            unknown(run, f"{type(error).__name__}: {error}")
            return None
        seen = {
            key: it
            for key, it in self.sums.items()
            if key in steps or not key.startswith(SYSTEM_PREFIX)
        }
        short = [key for key, it in seen.items() if steps.get(key, -1) < it.step]
        other = [key for key, it in seen.items() if not it.agrees(told.get(key) or {})]
        return short, other

    def missing(self, run: str, folder: Path, keys: Sequence[str]) -> Mapping[str, int]:
        """See `read_back.Sent`: points with a finite value. The log is read once for many keys."""
        told = [key for key in keys if "," not in key]  # by which the command takes keys apart
        for key in sorted({*keys} - {*told}):
            _log.warning("%s: points whose key has a comma cannot be looked up", key)
        found: dict[str, int] = {}
        for first in range(0, len(told), _AT_ONCE):
            some = told[first : first + _AT_ONCE]
            asked_for = ((key, _steps_at(run, folder, key)) for key in some)
            there = {key: pa.array(at, pa.int64()) for key, at in asked_for if at is not None}
            found |= self._lacking(there)
        return found

    def _lacking(self, there: Mapping[str, pa.Array]) -> dict[str, int]:
        """How many points of each key have none of these steps."""
        found = dict.fromkeys(there, 0)
        for points, keys in _points_in(self.log):
            finite = points.filter(pc.is_finite(points["value"]))
            for at, key in enumerate(keys):
                if key in there:
                    steps = finite.filter(pc.equal(finite["series"], at))["step"]
                    is_there = pc.is_in(steps, value_set=there[key])
                    found[key] += pc.sum(pc.invert(is_there)).as_py() or 0
        return found


def _points_in(log: Path) -> Iterator[tuple[pa.Table, Sequence[str]]]:
    """Points of a log, and the keys that their `series` counts."""
    keys: list[str] = []
    scanner = _native.SwanlabScanner(log)
    while (batch := scanner.next()) is not None:
        keys += batch.series
        if batch.points is not None:
            yield pa.table(pa.record_batch(batch.points)), keys


def _steps_at(run: str, folder: Path, key: str) -> list[int] | None:
    """Those that the server has of a key, all of them; None where it does not tell, which is said.

    None is told for a download that failed, too: the command then ends well, with no rows.
    """
    told = asked(run, folder, "metrics", f"--keys={key}", "--all", "--ignore-timestamp")
    if told is None:
        return None
    try:
        (one,) = told["list"] if isinstance(told, dict) else told
        if rows := one["metrics"]:
            return [int(row["step"]) for row in rows]
        unknown(run, f"no points of {key}")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        unknown(run, f"{type(error).__name__}: {error}")
    return None


def _add(points: pa.Table, keys: Sequence[str], found: dict[str, Sum]) -> None:
    points = points.select(["series", "step", "value"])
    points = points.append_column("other", pc.invert(pc.is_finite(points["value"])))
    for row in points.group_by("series").aggregate([("other", "any")]).to_pylist():
        if row["other_any"]:
            found.setdefault(keys[row["series"]], Sum()).is_whole = False
    finite = points.filter(pc.invert(points["other"]))
    wanted = [
        ("step", "max"),
        ("value", "min"),
        ("value", "max"),
        ("value", "sum"),
        ("value", "count"),
    ]
    for row in finite.group_by("series").aggregate(wanted).to_pylist():
        known = found.setdefault(keys[row["series"]], Sum())
        known.step = max(known.step, row["step_max"])
        known.least = min(known.least, row["value_min"])
        known.greatest = max(known.greatest, row["value_max"])
        known.total += row["value_sum"]
        known.count += row["value_count"]
