"""Whether what was uploaded has arrived: the vendor's own `swanlab api run summary` is asked.

It says of each key of scalars which step is the last that the server has. The server takes rows
before it counts them, so a key that is short is looked at again for a while. What a server does
not sum up (media, lines, values that are not finite, the machine's own series) is not looked at.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

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
_SECONDS_BETWEEN: Final = 2.0
_ANSWER: Final = "summary.json"
_KEYS_NAMED: Final = 5


def confirm(log: Path, run: str) -> None:
    """Return when the last step of every key of a log is there; `run` is WORKSPACE/PROJECT/ID.

    Where the command cannot tell, which is said, nothing is known. Raises Declined.
    """
    wanted, began = last_steps(log), time.monotonic()
    while wanted:
        found = _summary(run, log.parent.parent)
        if found is None:
            return
        short = [key for key, step in wanted.items() if found.get(key, -1) < step]
        if not short:
            return
        if time.monotonic() - began > SECONDS_TO_ARRIVE:
            named = ", ".join(short[:_KEYS_NAMED]) + (" …" if len(short) > _KEYS_NAMED else "")
            raise Declined(
                f"swanlab sync told of no failure, but of {len(short):,} of {len(wanted):,} keys "
                f"the last steps have not arrived: {named}",
                where=run,
                hint=f"swanlab api run summary {run}  # then run the command again: it goes on",
            )
        wait(_SECONDS_BETWEEN, "")


def last_steps(log: Path) -> dict[str, int]:
    """The last step of each key of scalars that has a finite value."""
    found: dict[str, int] = {}
    keys: list[str] = []
    scanner = _native.SwanlabScanner(log)
    while (batch := scanner.next()) is not None:
        keys += batch.series
        if batch.points is None:
            continue
        points = pa.table(pa.record_batch(batch.points)).select(["series", "step", "value"])
        points = points.filter(pc.is_finite(points["value"]))
        for row in points.group_by("series").aggregate([("step", "max")]).to_pylist():
            key = keys[row["series"]]
            if not key.startswith(SYSTEM_PREFIX):
                found[key] = max(found.get(key, -1), row["step_max"])
    return found


def _summary(run: str, folder: Path) -> Mapping[str, int] | None:
    """The last step of each key that the server has; None where it cannot be asked."""
    command = [*vendor_command(), "api", "run", "summary", run, "--save", _ANSWER]
    errors = VendorCommand(
        "swanlab api", command, environment(), folder, lambda it: it if "Error" in it else ""
    )
    ended = errors.run(run)
    try:
        told = json.loads((folder / _ANSWER).read_bytes())
        if told["ok"]:
            return {str(key): int(it["step"]) for key, it in (told["data"] or {}).items()}
        why = str(told["errmsg"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        why = ended.words if ended.code else f"{type(error).__name__}: {error}"
    _log.warning("%s: what has arrived cannot be looked up: %s", run, why)
    return None
