"""The writer: run folders on a disk, or the service by way of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Self, cast

from runferry.dialects.wandb.addresses import is_path
from runferry.ports import Limits, Location
from runferry.writers.wandb.limits import LIMITS, SERVICE_LIMITS
from runferry.writers.wandb.offline import OfflineWriter


class WandbWriter(OfflineWriter):
    """Opens what a location means: a folder, or a project of the service."""

    elsewhere: ClassVar[Mapping[str, Limits]] = {"service": SERVICE_LIMITS}

    @classmethod
    def open(cls, where: Location) -> Self:
        """Raises what opening a folder or the service raises."""
        if is_path(where.where):
            return super().open(where)
        from runferry.writers.wandb.service import ServiceWriter

        # callers know it by the protocol of writers only, and this is one
        return cast("Self", ServiceWriter.open(where))

    @classmethod
    def is_path(cls, where: Location) -> bool:
        """Whether this means a folder."""
        return is_path(where.where)

    @classmethod
    def meant_by_name(cls) -> str:
        """None: runs go to a project that is named."""
        return ""

    @classmethod
    def limits_at(cls, where: Location) -> Limits:
        """What a place can hold: the service has no room for our own records."""
        return LIMITS if is_path(where.where) else SERVICE_LIMITS
