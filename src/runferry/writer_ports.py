"""What a writer may offer besides: a class that has these methods offers it, and inherits nothing.

They are asked for where it matters, and a writer that has none of them is whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, Self, runtime_checkable

from runferry.losses import Loss
from runferry.model import Inventory, Run
from runferry.ports import Limits, Location, RemoteId, Writer


@runtime_checkable
class PlaceWriter(Protocol):
    """A writer whose places do not all hold the same."""

    elsewhere: ClassVar[Mapping[str, Limits]]
    """What its other places can hold, by a word for each: service, cloud. `limits` are of files."""

    @classmethod
    def limits_at(cls, where: Location) -> Limits:
        """What this place can hold."""
        ...


@runtime_checkable
class ServerWriter(Protocol):
    """A writer whose places need not be paths: `TEAM/PROJECT` means the same from every folder."""

    @classmethod
    def is_path(cls, where: Location) -> bool:
        """Whether this place is a path of this machine."""
        ...

    @classmethod
    def meant_by_name(cls) -> str:
        """The place that the writer's name alone means, which is the user's own; empty for none.

        Raises BadLocation where the user has not said which it is.
        """
        ...


@runtime_checkable
class GrowthWriter(Protocol):
    """A writer whose places do not all take a run again and again while it grows."""

    @classmethod
    def takes_growth(cls, where: Location) -> bool:
        """Whether a run that has not ended may go there, and again with what came since."""
        ...

    @classmethod
    def open_growing(cls, where: Location, *, is_ending: bool) -> Self:
        """As `open`, for runs that may not have ended yet. `is_ending`: nothing comes to them any
        more, so what is sent once for each run is sent now, also of those that are there already.

        Raises what `open` raises.
        """
        ...

    @classmethod
    def conclude(cls, where: Location, runs: Sequence[Run]) -> None:
        """Nobody adds to these runs any more, which never said that they ended; all of them is
        there. Harmless when repeated. Raises what writing there raises."""
        ...


@dataclass(frozen=True, slots=True)
class Awaited:
    """What has to happen at a place before anything is written there."""

    told: str  # in words
    is_coming: bool  # whoever is waited for lives; else nobody can tell, and it may never come


@runtime_checkable
class AwaitingWriter(Protocol):
    """A writer with places that somebody else is still at work on."""

    @classmethod
    def awaited(cls, where: Location) -> Awaited | None:
        """What whoever writes there has to wait for; None when it may begin.

        Quick, and nothing is asked of a server. Raises what reading files raises.
        """
        ...


@runtime_checkable
class OneWayWriter(Protocol):
    """A writer with places from which nobody can read back what arrived."""

    @classmethod
    def is_readable(cls, where: Location) -> bool:
        """Whether this place can be read, so that what arrived can be verified."""
        ...


@runtime_checkable
class ForetellingWriter(Protocol):
    """A writer that names things by itself, as what is known of a run decides."""

    @classmethod
    def foretold(cls, where: Location, inventory: Inventory) -> tuple[Loss, ...]:
        """What it will tell of a run for that; nothing is asked at the place."""
        ...


@runtime_checkable
class ReportingWriter(Writer, Protocol):
    """A writer that meets losses which no plan foresees: what the run holds there decides."""

    def losses(self, remote: RemoteId) -> tuple[Loss, ...]:
        """What this writer could not do as asked while it sent the run; asked after `seal`."""
        ...
