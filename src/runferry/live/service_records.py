"""What W&B's service writes by itself: statistics of the machine, and what it is.

The client never hands these over. They are taken from the `.wandb` file that the service writes,
whenever it writes them, and put into a journal of their own, so that replicas still follow from
journals alone. Rows come from the client; only those that the service made out of event files
(`sync_tensorboard`), which no hook of ours has seen, are not.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from runferry.dialects.protobuf import values
from runferry.live.frames import Kind
from runferry.live.journal import Journal
from runferry.live.replicas.wandb_log import records
from runferry.model import Tree
from runferry.transfer.progress import StopToken

SERVICE: Final = "service"
Facts = dict[str, Tree]
_ITS_OWN: Final = frozenset({7, 21, 26})  # stats, header, environment
_LOOK_SECONDS: Final = 1.0
_QUIET_SECONDS: Final = 1.0
_LONGEST_WAIT: Final = 10.0


class ServiceRecords:
    """Tails the files of W&B's service."""

    def __init__(self, folder: Path, taken: Mapping[str, int]) -> None:
        """`taken` is how many records of each file the journals have already."""
        self._journal = Journal(folder)
        self._known = dict(taken)
        self._offsets: dict[str, int] = {}
        self._looked = 0.0

    def look(self, sources: Iterable[Facts]) -> None:
        """Take what is new, every now and then."""
        if time.monotonic() - self._looked < _LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        for facts in list(sources):
            self._take(facts)

    def finish(self, sources: Iterable[Facts], stop: StopToken) -> None:
        """Take the rest, once nobody writes there any more."""
        found = [(facts, path) for facts in sources if (path := _database(facts)) is not None]
        deadline = time.monotonic() + _LONGEST_WAIT
        while time.monotonic() < deadline and not stop.is_set:
            newest = max((path.stat().st_mtime for _, path in found), default=0.0)
            if time.time() - newest > _QUIET_SECONDS:
                break
            stop.wait(0.1)
        for facts, _ in found:
            self._take(facts)
        self._journal.close()

    def _take(self, facts: Facts) -> None:
        database = _database(facts)
        if database is None:
            return
        name = str(database)
        size, start = database.stat().st_size, self._offsets.get(name, 0)
        if size <= start:
            return
        told = {"tracker": "wandb", "stream": facts.get("stream"), SERVICE: name}
        source = json.dumps(told)
        with database.open("rb") as stream:
            for end, record in records(stream, start, size):
                self._offsets[name] = end
                if not any(number in _ITS_OWN for number, _ in values(record)):
                    continue
                if self._known.get(name, 0) > 0:
                    self._known[name] -= 1
                else:
                    self._journal.append(SERVICE, Kind.WANDB, source, record)


def _database(facts: Facts) -> Path | None:
    named = facts.get("database")
    path = Path(str(named)) if named else None
    return path if path is not None and path.is_file() else None
