"""Artifacts that W&B's service has under another version, says less of, or has not: as losses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from runferry.chunks import Artifact
from runferry.dialects.wandb.service_copy import is_changed
from runferry.losses import Fate, Loss, LossLedger
from runferry.writers.wandb.artifacts import is_fit, place_of

_RENAMED: Final = "W&B takes letters, digits, dots, - and _ in the name of an artifact"
_SPELLED: Final = "W&B has its metadata as a mapping of JSON"


@dataclass
class UnsentArtifacts:
    """Those of one run, while it is written."""

    _losses: LossLedger = field(default_factory=LossLedger)

    def look_at(self, artifact: Artifact) -> None:
        """Note what is told of one. Its content is not: that is to arrive whole."""
        place = place_of(artifact)
        if artifact.relation == "used":
            return  # the plan says it
        if not is_fit(artifact):
            self._losses.add(Loss("artifact", Fate.DROPPED, place, 1, _RENAMED))
            self._losses.add(Loss("invented", Fate.DROPPED, "", 1, _RENAMED))
            return
        metadata = artifact.metadata
        if is_changed(metadata) or not (metadata is None or isinstance(metadata, dict)):
            self._losses.add(Loss("artifact", Fate.ROUNDED, place, 1, _SPELLED))

    def losses(self) -> Iterator[Loss]:
        """What is told of them."""
        return iter(self._losses)
