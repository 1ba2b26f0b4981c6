"""A run at rest, as Python has it: header, attributes as mappings, tables of Arrow."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from runferry.chunks import Artifact, Chunk, File
from runferry.losses import Loss
from runferry.model import Role, Run, Series, Tree

if TYPE_CHECKING:
    import pyarrow as pa

    from runferry.archive.record import RunRecord
    from runferry.archive.store import Archive


class LoadedRun:
    """A run at rest. Tables are read when they are first asked for, as `pyarrow.Table`."""

    def __init__(self, archive: Archive, record: RunRecord) -> None:
        self._archive = archive
        self._record = record

    def __repr__(self) -> str:
        return f"<run {self.run.key} of {self.run.key.tracker}>"

    @property
    def run(self) -> Run:
        """The header: `.run.key.run_id`, `.run.name`, …"""
        return self._record.run

    @property
    def losses(self) -> tuple[Loss, ...]:
        """What the reader could not carry."""
        return self._record.losses

    @property
    def complete(self) -> bool:
        """The source said that the run ended."""
        return self.run.complete

    @cached_property
    def config(self) -> dict[str, Tree]:
        """What was configured, as nested mappings with the types it had."""
        return nested(self._of("config"))

    @cached_property
    def summary(self) -> dict[str, Tree]:
        """What was summed up, as nested mappings with the types it had."""
        return nested(self._of("summary"))

    @cached_property
    def environment(self) -> dict[str, Tree]:
        """Where it ran, as nested mappings."""
        return nested(self._of("environment"))

    @cached_property
    def series(self) -> tuple[Series, ...]:
        """What was logged, with counts."""
        return self._archive.series(self._record)

    @property
    def points(self) -> pa.Table:
        """The scalars that the user logged, in the columns of the archive's `points`."""
        return self._archive.table(self._record, "points", stream="user")

    @property
    def system(self) -> pa.Table:
        """The scalars that the tracker measured by itself."""
        return self._archive.table(self._record, "points", stream="system")

    @property
    def texts(self) -> pa.Table:
        """Strings and JSON values that were logged."""
        return self._archive.table(self._record, "texts")

    @property
    def histograms(self) -> pa.Table:
        """Histograms that were logged."""
        return self._archive.table(self._record, "histograms")

    @property
    def media(self) -> pa.Table:
        """Images, audio, tables …: where they were logged, and the hash of their bytes."""
        return self._archive.table(self._record, "media")

    @property
    def console(self) -> pa.Table:
        """What the run printed."""
        return self._archive.table(self._record, "console")

    @cached_property
    def files(self) -> tuple[File, ...]:
        """Its files; `blob.open()` gives the bytes."""
        return tuple(chunk for chunk in self.chunks() if isinstance(chunk, File))

    @cached_property
    def artifacts(self) -> tuple[Artifact, ...]:
        """The versions of artifacts that it produced or used."""
        return tuple(chunk for chunk in self.chunks() if isinstance(chunk, Artifact))

    def chunks(self) -> Iterator[Chunk]:
        """All of it again, as a stream."""
        return self._archive.chunks(self._record)

    def _of(self, role: Role) -> dict[tuple[str, ...], Tree]:
        return {item.path: item.value for item in self._record.attributes if item.role == role}


def nested(values: dict[tuple[str, ...], Tree]) -> dict[str, Tree]:
    """Paths as mappings within mappings. Where a path ends at a value and another goes on below
    it, which no mapping can hold, the longer one keeps its joined name beside it.
    """
    tree: dict[str, Tree] = {}
    for path, value in sorted(values.items(), key=lambda item: len(item[0])):
        level, at = tree, 0
        while at < len(path) - 1:
            below = level.setdefault(path[at], {})
            if not isinstance(below, dict):
                break
            level, at = below, at + 1
        level[".".join(path[at:])] = value
    return tree
