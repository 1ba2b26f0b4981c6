"""The writer: offline sessions on a disk, or a server by way of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Self, cast

from runferry import settings
from runferry.model import Run
from runferry.paths import is_local
from runferry.ports import Limits, Location
from runferry.writers.clearml.limits import LIMITS, SERVER_LIMITS
from runferry.writers.clearml.offline import OfflineWriter


class ClearmlWriter(OfflineWriter):
    """Opens what a location means: a folder, or a project of a server."""

    elsewhere: ClassVar[Mapping[str, Limits]] = {"server": SERVER_LIMITS}

    @classmethod
    def open(cls, where: Location) -> Self:
        """Raises what opening a folder or a server raises."""
        if is_local(where.where):
            return super().open(where)
        from runferry.writers.clearml.service import ServiceWriter

        # callers know it by the protocol of writers only, and this is one
        return cast("Self", ServiceWriter.open(where))

    @classmethod
    def takes_growth(cls, where: Location) -> bool:
        """A session is replaced; a server gets whole runs, unless it is asked."""
        return is_local(where.where) or settings.current().live_upload == "growing"

    @classmethod
    def open_growing(cls, where: Location, *, is_ending: bool) -> Self:
        """A task that is on a server goes on there; at the end it gets our exact copy too."""
        if is_local(where.where):
            return super().open(where)
        from runferry.writers.clearml.growing import GrowingWriter

        return cast("Self", GrowingWriter.open_growing(where, is_ending=is_ending))

    @classmethod
    def conclude(cls, where: Location, runs: Sequence[Run]) -> None:
        """On a server, where a task that was sent while it grew would be running for ever."""
        if runs and not is_local(where.where) and cls.takes_growth(where):
            from runferry.writers.clearml.growing import GrowingWriter

            GrowingWriter.conclude(where, runs)

    @classmethod
    def is_path(cls, where: Location) -> bool:
        """Whether this means a folder."""
        return is_local(where.where)

    @classmethod
    def meant_by_name(cls) -> str:
        """Nothing: a project has to be named."""
        return ""

    @classmethod
    def limits_at(cls, where: Location) -> Limits:
        """What a place can hold: a server refuses some numbers, and keeps one of an iteration."""
        return LIMITS if is_local(where.where) else SERVER_LIMITS
