"""The writer: offline sessions on a disk, or a server by way of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Self, cast

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
