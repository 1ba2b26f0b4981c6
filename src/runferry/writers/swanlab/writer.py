"""The destination `swanlab`: a path is run folders, or a run of them; else the cloud."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Self, cast

from runferry import settings
from runferry.dialects.swanlab.adopted import awaited, is_run_place
from runferry.dialects.swanlab.names import OWN_WORKSPACE
from runferry.model import Run
from runferry.paths import is_local
from runferry.ports import Limits, Location
from runferry.writer_ports import Awaited
from runferry.writers.swanlab.folder_writer import FolderWriter
from runferry.writers.swanlab.limits import ADOPTED_LIMITS, CLOUD_LIMITS, LIMITS


class SwanlabWriter(FolderWriter):
    """Opens what a location means."""

    elsewhere: ClassVar[Mapping[str, Limits]] = {"cloud": CLOUD_LIMITS}

    @classmethod
    def open(cls, where: Location) -> Self:
        """Raises what opening a folder, a run or the cloud raises."""
        if is_run_place(where.where):
            from runferry.writers.swanlab.adopted import AdoptedWriter

            return cast("Self", AdoptedWriter.open(where))
        if is_local(where.where):
            return super().open(where)
        from runferry.writers.swanlab.cloud import CloudWriter

        # callers know it by the protocol of writers only, and this is one
        return cast("Self", CloudWriter.open(where))

    @classmethod
    def is_path(cls, where: Location) -> bool:
        """Whether this means a folder."""
        return is_local(where.where)

    @classmethod
    def meant_by_name(cls) -> str:
        """The account's own workspace, which the vendor's command knows."""
        return OWN_WORKSPACE

    @classmethod
    def takes_growth(cls, where: Location) -> bool:
        """A folder is replaced; to the cloud runs go when they have ended, unless it is asked."""
        if is_run_place(where.where):
            return False
        return is_local(where.where) or settings.current().live_upload == "growing"

    @classmethod
    def open_growing(cls, where: Location, *, is_ending: bool) -> Self:
        """One that sends what there is of a run each time, whether or not more comes."""
        del is_ending
        if is_local(where.where):
            return super().open(where)
        from runferry.writers.swanlab.growing import GrowingCloudWriter

        return cast("Self", GrowingCloudWriter.open(where))

    @classmethod
    def conclude(cls, where: Location, runs: Sequence[Run]) -> None:
        """In the cloud, where a run that was sent while it grew would be running for ever."""
        if not is_local(where.where) and cls.takes_growth(where):
            from runferry.writers.swanlab.growing import GrowingCloudWriter

            GrowingCloudWriter.conclude(where, runs)

    @classmethod
    def is_readable(cls, where: Location) -> bool:
        """Runs of the cloud cannot be read back, nor can what is one of several in a run."""
        return is_local(where.where) and not is_run_place(where.where)

    @classmethod
    def awaited(cls, where: Location) -> Awaited | None:
        """A run takes more when its own client is through with it."""
        return awaited(where.path) if is_run_place(where.where) else None

    @classmethod
    def limits_at(cls, where: Location) -> Limits:
        """What a place can hold: nothing stands beside a run in the cloud."""
        if is_run_place(where.where):
            return ADOPTED_LIMITS
        return LIMITS if is_local(where.where) else CLOUD_LIMITS
