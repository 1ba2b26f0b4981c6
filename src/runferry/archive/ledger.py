"""What was pushed where, and how far: one row a (uid, destination)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from runferry.losses import Loss
from runferry.model import Uid

Stage = Literal["created", "sending", "sealed", "verified"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """How far one run got on its way to one destination."""

    uid: Uid
    destination: str  # a location without its credentials
    stage: Stage
    remote: str  # the run's id there
    plan: str  # hash of the plan it is sent under
    generation: int  # of the archive's record that is being sent
    sent: int = 0  # chunks that are known to have arrived
    segments: tuple[str, ...] = ()  # content hashes of the segments that a sealed push carried
    losses: tuple[Loss, ...] = field(default=())  # reported while sending


class Ledger:
    """Advances only after the effect; every write is durable when it returns. Thread-safe."""

    def get(self, uid: Uid, destination: str) -> Delivery | None:
        """How far this run got; None before it was created there."""
        raise NotImplementedError

    def put(self, delivery: Delivery) -> None:
        """State how far it got now."""
        raise NotImplementedError

    def forget(self, uid: Uid, destination: str) -> None:
        """The run is no longer there."""
        raise NotImplementedError
