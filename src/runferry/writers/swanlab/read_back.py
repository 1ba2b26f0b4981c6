"""Whether what was uploaded has arrived: the vendor's own `swanlab api run summary` is asked.

It says of each key of scalars which step is the last that the server has, and the least, the
greatest and the mean of its values. The server takes rows before it counts them, so a key that is
short is looked at again for a while. A last step that is missing fails the run. Values that sum up
to something else are a warning: how a server reckons is its own affair. What it does not sum up
(media, lines, values that are not finite, the machine's own series) is not looked at.
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from runferry import _native
from runferry.dialects.swanlab.names import SYSTEM_PREFIX
from runferry.errors import Declined
from runferry.http.waits import wait
from runferry.writers.swanlab.upload import environment, vendor_command
from runferry.writers.vendor_command import VendorCommand

_log = logging.getLogger(__name__)
SECONDS_TO_ARRIVE: Final = 60.0
_SECONDS_TO_SUM_UP: Final = 10.0
_SECONDS_BETWEEN: Final = 2.0
_CLOSE: Final = 1e-6
_ANSWER: Final = "summary.json"
_KEYS_NAMED: Final = 5


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


def confirm(log: Path, run: str) -> None:
    """Return when the last step of every key of a log is there; `run` is WORKSPACE/PROJECT/ID.

    Where the command cannot tell, which is said, nothing is known. Raises Declined.
    """
    wanted, began = sums(log), time.monotonic()
    while wanted:
        found = _summary(run, log.parent.parent)
        if found is None:
            return
        waited = time.monotonic() - began
        short = [key for key, it in wanted.items() if _step(found.get(key)) < it.step]
        other = [key for key, it in wanted.items() if not it.agrees(found.get(key) or {})]
        if not short and (not other or waited > _SECONDS_TO_SUM_UP):
            if other:
                named = _named(other)
                _log.warning(
                    "%s: of %s of %s keys the server's least, greatest or mean value is not that "
                    "of what was sent: %s", run, f"{len(other):,}", f"{len(wanted):,}", named
                )  # fmt: skip
            return
        if short and waited > SECONDS_TO_ARRIVE:
            raise Declined(
                f"swanlab sync told of no failure, but of {len(short):,} of {len(wanted):,} keys "
                f"the last steps have not arrived: {_named(short)}",
                where=run,
                hint=f"swanlab api run summary {run}  # then run the command again: it goes on",
            )
        wait(_SECONDS_BETWEEN, "")


def _named(keys: Sequence[str]) -> str:
    return ", ".join(keys[:_KEYS_NAMED]) + (" …" if len(keys) > _KEYS_NAMED else "")


def sums(log: Path) -> dict[str, Sum]:
    """What each key of scalars of a log has, where that is a finite value at least."""
    found: dict[str, Sum] = {}
    keys: list[str] = []
    scanner = _native.SwanlabScanner(log)
    while (batch := scanner.next()) is not None:
        keys += batch.series
        if batch.points is not None:
            _add(pa.table(pa.record_batch(batch.points)), keys, found)
    own = {key: it for key, it in found.items() if not key.startswith(SYSTEM_PREFIX)}
    return {key: it for key, it in own.items() if it.count}


def _add(points: pa.Table, keys: Sequence[str], found: dict[str, Sum]) -> None:
    points = points.select(["series", "step", "value"])
    points = points.append_column("other", pc.invert(pc.is_finite(points["value"])))
    for row in points.group_by("series").aggregate([("other", "any")]).to_pylist():
        if row["other_any"]:
            found.setdefault(keys[row["series"]], Sum()).is_whole = False
    finite = points.filter(pc.invert(points["other"]))
    asked = [
        ("step", "max"),
        ("value", "min"),
        ("value", "max"),
        ("value", "sum"),
        ("value", "count"),
    ]
    for row in finite.group_by("series").aggregate(asked).to_pylist():
        known = found.setdefault(keys[row["series"]], Sum())
        known.step = max(known.step, row["step_max"])
        known.least = min(known.least, row["value_min"])
        known.greatest = max(known.greatest, row["value_max"])
        known.total += row["value_sum"]
        known.count += row["value_count"]


def _step(told: Mapping[str, Any] | None) -> int:
    return -1 if told is None else int(told["step"])


def _summary(run: str, folder: Path) -> Mapping[str, Mapping[str, Any]] | None:
    """What the server says of each key that it has; None where it cannot be asked."""
    command = [*vendor_command(), "api", "run", "summary", run, "--save", _ANSWER]
    errors = VendorCommand(
        "swanlab api", command, environment(), folder, lambda it: it if "Error" in it else ""
    )
    ended = errors.run(run)
    try:
        told = json.loads((folder / _ANSWER).read_bytes())
        if told["ok"]:
            found = {str(key): {**it} for key, it in (told["data"] or {}).items()}
            return {key: {**it, "step": int(it["step"])} for key, it in found.items()}
        why = str(told["errmsg"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        why = ended.words if ended.code else f"{type(error).__name__}: {error}"
    _log.warning("%s: what has arrived cannot be looked up: %s", run, why)
    return None
