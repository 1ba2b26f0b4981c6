"""The reader of W&B's service: lists runs, and reads each with as few questions as it takes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Self

from runferry.chunks import Chunk
from runferry.dialects.wandb.account import account
from runferry.dialects.wandb.addresses import Address, parsed
from runferry.dialects.wandb.service import Service
from runferry.model import KINDS, Cursor, Kind, Run
from runferry.ports import Location, ReadOptions, Wanted
from runferry.readers.wandb.service.documents import REPORTS_ID, reports
from runferry.readers.wandb.service.listing import UNLISTED_ID, Listing
from runferry.readers.wandb.service.place import RunPlace
from runferry.readers.wandb.service.reading import RunReading


@dataclass
class _Shared:
    """The connection that readers beside each other use; the last one closes it."""

    service: Service
    readers: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def joined(self) -> None:
        with self.lock:
            self.readers += 1

    def left(self) -> None:
        with self.lock:
            self.readers -= 1
            if not self.readers:
                self.service.close()


class WandbServiceReader:
    """Runs of an entity, a project, or one run. Needs no wandb package."""

    name: ClassVar[str] = "wandb"
    gives: ClassVar[frozenset[Kind]] = frozenset(KINDS)

    def __init__(self, address: Address, shared: _Shared) -> None:
        self._address = address
        self._shared = shared
        self._is_open = True
        self._listing = Listing(shared.service, address)
        shared.joined()

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """No path of this machine is a service."""
        del path
        return False

    @classmethod
    def open(cls, where: Location, options: ReadOptions) -> Self:
        """Raises AuthFailed, BadLocation, BadSetting."""
        del options  # the service's times are UTC
        address = parsed(where.where)
        return cls(address, _Shared(Service(account(address))))

    def beside(self) -> Self:
        """See `runferry.ports.SharingReader`."""
        return type(self)(self._address, self._shared)

    def runs(self) -> Iterator[Run]:
        """See `runferry.ports.Reader`."""
        return self.runs_of(Wanted())

    def runs_of(self, wanted: Wanted) -> Iterator[Run]:
        """See `runferry.ports.ChoosingReader`."""
        return self._listing.runs(wanted)

    @property
    def expected(self) -> int | None:
        """See `runferry.ports.CountingReader`."""
        return self._listing.expected

    def projects(self) -> Iterator[str]:
        """See `runferry.ports.ProjectsReader`."""
        return self._listing.projects()

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[Chunk]:
        """See `runferry.ports.Reader`. Raises NotFound for a run that was deleted meanwhile."""
        if run.key.run_id == UNLISTED_ID:
            self._listing.check(run.key.scope)
        entity = run.entity or self._listing.entity
        if run.key.run_id == REPORTS_ID:
            position = None if after is None else after.position
            yield from reports(self._shared.service, entity, run.key.scope, position)
            return
        place = RunPlace(entity, run.key.scope, run.key.run_id)
        yield from RunReading(self._shared.service, place, run.sweep, after).read()

    def close(self) -> None:
        """Let go of the connection when no other reader uses it."""
        if self._is_open:
            self._is_open = False
            self._shared.left()
