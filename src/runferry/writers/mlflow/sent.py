"""What the last sending said of the registered models of a run, from the run's own bundle.

Only this is taken back later: whatever else is in the registry, somebody else put there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from runferry.model import Tree

_VERSIONS: Final = ("artifact", "document", "run")


@dataclass(frozen=True, slots=True)
class Sent:
    """What was said of one model or version; nothing where no record tells of it."""

    description: str | None = None
    stage: str = "None"
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: frozenset[str] = frozenset()
    is_known: bool = False


class LastSent:
    """The records that `Registering.register` left. A record in any other shape tells nothing."""

    def __init__(self, records: Sequence[Tree]) -> None:
        self._models: dict[str, Sent] = {}
        self._versions: dict[tuple[str, int], Sent] = {}
        for record in records:
            if not isinstance(record, dict):
                continue
            name, number = str(record.get("model")), record.get("version")
            if record.get("what") == "model":
                self._models[name] = _sent(record)
            elif record.get("what") in _VERSIONS and isinstance(number, int):
                self._versions[name, number] = _sent(record)

    def model(self, name: str) -> Sent:
        """What was said of a model."""
        return self._models.get(name, Sent())

    def version(self, name: str, number: int) -> Sent:
        """What was said of a version, by the number that it has in MLflow."""
        return self._versions.get((name, number), Sent())


def _sent(record: dict[str, Tree]) -> Sent:
    tags, aliases = record.get("tags"), record.get("aliases")
    return Sent(
        description=str(record["description"]) if record.get("description") else None,
        stage=str(record.get("stage") or "None"),
        tags={k: str(v) for k, v in tags.items()} if isinstance(tags, dict) else {},
        aliases=frozenset(map(str, aliases)) if isinstance(aliases, list) else frozenset(),
        is_known=True,
    )
