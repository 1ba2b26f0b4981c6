"""The reader of a server's tasks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Self

from runferry.chunks import Chunk
from runferry.dialects.clearml.account import account
from runferry.dialects.clearml.addresses import Address, parsed
from runferry.dialects.clearml.names import TRACKER
from runferry.dialects.clearml.service import Service
from runferry.errors import NotFound
from runferry.model import Cursor, Kind, Run, RunKey
from runferry.ports import Location, ReadOptions
from runferry.readers.clearml.server.listing import project_names, tasks_at
from runferry.readers.clearml.server.served import ServedRun


class ServerReader:
    """Tasks at an address; each is asked for when it is read."""

    name: ClassVar[str] = TRACKER
    gives: ClassVar[frozenset[Kind]] = frozenset({
        "scalar", "text", "image", "audio", "video", "plot", "html", "file", "other", "config",
        "summary", "environment", "console", "artifact", "raw"
    })  # fmt: skip

    def __init__(self, service: Service, address: Address, options: ReadOptions) -> None:
        self._service = service
        self._address = address
        self._options = options
        self._found: dict[RunKey, ServedRun] = {}

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """No path is a server."""
        del path
        return False

    @classmethod
    def open(cls, where: Location, options: ReadOptions) -> Self:
        """Raises AuthFailed, BadLocation, BadSetting."""
        address = parsed(where.where)
        return cls(Service(account(address.origin)), address, options)

    def runs(self) -> Iterator[Run]:
        """Headers by id, archived tasks only with `--include-deleted`. Raises NotFound."""
        with_archived = self._options.include_deleted
        for task in tasks_at(self._service, self._address, with_archived=with_archived):
            run = ServedRun(self._service, task)
            self._found[run.key] = run
            yield run.header()

    def projects(self) -> Iterator[str]:
        """See `runferry.ports.ProjectsReader`."""
        yield from sorted(project_names(self._service).values())

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[Chunk]:
        """See `runferry.ports.Reader`."""
        if run.key not in self._found:
            for _ in self.runs():
                pass
        found = self._found.get(run.key)
        if found is None:
            where = f"{self._service.where}: {run.key}"
            raise NotFound("no such task", where=where, hint="runferry ls clearml:")
        return found.read(run, after)

    def beside(self) -> Self:
        """See `runferry.ports.SharingReader`."""
        another = type(self)(Service(self._service.account), self._address, self._options)
        another._found = {
            key: ServedRun(another._service, run.listed) for key, run in self._found.items()
        }
        return another

    def close(self) -> None:
        """Let go of the connections."""
        self._service.close()
