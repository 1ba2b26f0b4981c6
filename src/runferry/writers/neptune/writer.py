"""The destination `neptune`: a path is an archive of the exporter's format, else the client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Self

from runferry import settings
from runferry.chunks import Chunk
from runferry.dialects.neptune.places import ServerPlace
from runferry.losses import Loss
from runferry.model import Inventory, Run, Uid
from runferry.paths import is_local
from runferry.ports import Limits, Location, Progress, RemoteId
from runferry.writer_ports import ReportingWriter
from runferry.writers.neptune.export_writer import ExportWriter
from runferry.writers.neptune.exporting import is_kept_as_model
from runferry.writers.neptune.layout import Layout
from runferry.writers.neptune.limits import LIMITS


class NeptuneWriter:
    """The writer for what the location means."""

    name: ClassVar[str] = "neptune"
    limits: ClassVar[Limits] = LIMITS

    def __init__(self, writer: ReportingWriter) -> None:
        self._writer = writer

    @classmethod
    def open(cls, where: Location) -> Self:
        """Raises Refused, AuthFailed, Unreachable, MissingExtra, BadLocation."""
        if is_local(where.where):
            return cls(ExportWriter.open(where))
        from runferry.writers.neptune.client_writer import ClientWriter

        return cls(ClientWriter.open(where))

    @classmethod
    def is_path(cls, where: Location) -> bool:
        """Whether this means a folder."""
        return is_local(where.where)

    @classmethod
    def meant_by_name(cls) -> str:
        """The project of `NEPTUNE_PROJECT`. Raises BadLocation."""
        return str(ServerPlace.of(""))

    @classmethod
    def is_readable(cls, where: Location) -> bool:
        """Whether anything arrives: in the mode `debug` nothing leaves this machine."""
        return is_local(where.where) or settings.current().neptune_mode != "debug"

    @classmethod
    def foretold(cls, where: Location, inventory: Inventory) -> tuple[Loss, ...]:
        """The paths that are others than what they hold is called."""
        run = inventory.run
        series = {one.key: one for one in inventory.series}
        keeps_model = is_local(where.where) and is_kept_as_model(run)
        layout = Layout(
            run, run.uid, run.key.run_id, inventory.attributes, series, keeps_model=keeps_model
        )
        for one in inventory.series:
            for kind, _ in inventory.kinds_of(one):
                if kind != "media":  # files have their own names
                    layout.series_path(one.key, kind)
        return tuple(layout.renamed)

    def find(self, uid: Uid) -> RemoteId | None:
        """See `runferry.ports.Writer`, as for the rest."""
        return self._writer.find(uid)

    def present(self) -> Mapping[Uid, RemoteId] | None:
        """Sealed runs of ours."""
        return self._writer.present()

    def create(self, run: Run, uid: Uid) -> RemoteId:
        """Begin a run."""
        return self._writer.create(run, uid)

    def claim(self, remote: RemoteId, words: str) -> None:
        """Say who is sending it."""
        self._writer.claim(remote, words)

    def stored(self, remote: RemoteId) -> Progress | None:
        """Whether it is complete."""
        return self._writer.stored(remote)

    def append(self, remote: RemoteId, number: int, chunk: Chunk) -> None:
        """Stage one chunk."""
        self._writer.append(remote, number, chunk)

    def seal(self, remote: RemoteId, run: Run) -> None:
        """Bring all of it there."""
        self._writer.seal(remote, run)

    def losses(self, remote: RemoteId) -> tuple[Loss, ...]:
        """What could not be done as asked."""
        return self._writer.losses(remote)

    def discard(self, remote: RemoteId) -> None:
        """Remove what was begun."""
        self._writer.discard(remote)

    def close(self) -> None:
        """Let go of everything."""
        self._writer.close()
