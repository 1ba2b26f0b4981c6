"""Artifacts that W&B's service has under another version, says less of, or has not: as losses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from runferry.chunks import Artifact
from runferry.dialects.wandb.service_copy import is_changed
from runferry.losses import Fate, Loss, LossLedger
from runferry.writers.wandb.artifacts import fit_name

_NUMBERED: Final = "W&B numbers versions itself"
_RENAMED: Final = "W&B takes letters, digits, dots, - and _ in the name of an artifact"
_USED: Final = "W&B knows what a run used by its own ids"
_SPELLED: Final = "W&B has its metadata as a mapping of JSON"
_ONCE: Final = "W&B makes one version of what has the same content"

_Content = tuple[str, str, frozenset[tuple[str | None, ...]]]


@dataclass
class UnsentArtifacts:
    """Those of one run, while it is written."""

    _losses: LossLedger = field(default_factory=LossLedger)
    _seen: set[_Content] = field(default_factory=set)

    def look_at(self, artifact: Artifact) -> None:
        """Note what is told of one. Its content is not: that is to arrive whole."""
        stated = (artifact.name, artifact.type, artifact.relation, artifact.version)
        place = "/".join(part for part in (*stated, artifact.artifact_id) if part is not None)
        is_fit = fit_name(artifact.name) == artifact.name and bool(artifact.type)
        if artifact.relation == "used" or not is_fit:
            why = _USED if is_fit else _RENAMED
            self._losses.add(Loss("artifact", Fate.DROPPED, place, 1, why))
            self._losses.add(Loss("invented", Fate.DROPPED, "", 1, why))
            return
        self._losses.add(Loss("artifact-version", Fate.RENAMED, place, 1, _NUMBERED))
        metadata = artifact.metadata
        if is_changed(metadata) or not (metadata is None or isinstance(metadata, dict)):
            self._losses.add(Loss("artifact", Fate.ROUNDED, place, 1, _SPELLED))
        held = ((one.path, one.blob.sha256, one.reference) for one in artifact.entries)
        content = (artifact.name, artifact.type, frozenset(held))
        if content in self._seen:
            self._losses.add(Loss("artifact", Fate.DROPPED, place, 1, _ONCE))
        self._seen.add(content)

    def losses(self) -> Iterator[Loss]:
        """What is told of them."""
        return iter(self._losses)
