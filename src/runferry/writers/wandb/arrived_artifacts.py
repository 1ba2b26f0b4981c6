"""Which versions of artifacts W&B's service has as a run's own: before an upload, and after it.

W&B makes one version of what has the same content as the newest: the run that brought it first is
its producer, and of the others the service does not say that they made it. Of what is older it
makes another version, so a run that is uploaded again must not bring what it has brought.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from runferry.http.waits import wait
from runferry.losses import Fate, Loss
from runferry.writers.wandb.artifacts import Content, Produced
from runferry.writers.wandb.versions_there import Version, VersionsThere

_ONCE: Final = "W&B makes one version of what has the same content"
_AGAIN: Final = "W&B made another version of what an earlier upload had brought"
_NEWEST: Final = "latest"
"""The alias that W&B moves by itself, to what arrived last."""
_SECONDS_BETWEEN_LOOKS: Final = 0.5


class BroughtBefore:
    """What an earlier upload of one run brought, while it is authored anew."""

    def __init__(self, there: VersionsThere, run: str) -> None:
        self._there = there
        self._left: dict[Content, list[Version]] = defaultdict(list)
        for version in there.of_run(run):
            self._left[version.content].append(version)
        self._begun: set[tuple[str, str]] = set()  # name and type
        self._unnamed: list[tuple[Version, frozenset[str]]] = []

    def has(self, made: Produced, aliases: Collection[str]) -> bool:
        """Whether this need not be sent: it is there, as this run's or as that of another.

        The first goes with the first of several that are the same. That of another stands only for
        the first of a name: of one that follows another content W&B made a version of this run.
        """
        same, name = self._left.get(made.content), made.content[:2]
        is_first = name not in self._begun
        self._begun.add(name)
        if same is None:
            return is_first and self._there.has(made.content)
        if not same:
            return False  # brought before, and now once more
        version = same.pop(0)
        if missing := frozenset(aliases) - version.aliases - {_NEWEST}:
            self._unnamed.append((version, missing))
        return True

    def settle(self) -> None:
        """Give what was not sent the aliases that it has come to have.

        Those of newer versions stay: an upload in full would have brought these later.
        """
        while self._unnamed:
            version, missing = self._unnamed[-1]
            if free := missing - self._there.aliases_after(version):
                self._there.name(version, free)
            self._unnamed.pop()


@dataclass(frozen=True, slots=True)
class ArrivedArtifacts:
    """Asks about one run of a project."""

    there: VersionsThere
    run: str

    def losses(self, sent: Sequence[Produced], patience_seconds: float) -> tuple[Loss, ...]:
        """What of that is not this run's there, and what else is.

        A version that nobody has yet is waited for.
        """
        if not sent:
            return ()
        until = time.monotonic() + patience_seconds
        while True:
            missing, others = _compared(sent, self.there.of_run(self.run))
            is_late = any(not self.there.has(one.content) for one in missing)
            if not is_late or time.monotonic() > until:
                break
            wait(_SECONDS_BETWEEN_LOOKS, "")
        gone = (Loss("artifact", Fate.DROPPED, one.place, 1, _ONCE) for one in missing)
        again = (Loss("invented", Fate.DROPPED, place, 1, _AGAIN) for place in others)
        return (*gone, *again)


def _compared(
    sent: Sequence[Produced], there: Iterable[Version]
) -> tuple[list[Produced], list[str]]:
    """What was sent and is not there, and the places of what is there once more than it was sent.

    The first goes with the first, as it does where the content of artifacts is compared.
    """
    names = {one.content[:2] for one in sent}
    places: dict[Content, list[str]] = defaultdict(list)
    for version in there:
        name, kind, _ = version.content
        if (name, kind) in names:
            place = f"{name}/{kind}/produced/v{version.index}/{version.artifact_id}"
            places[version.content].append(place)
    missing = []
    for one in sent:
        same = places[one.content]
        if same:
            del same[0]
        else:
            missing.append(one)
    return missing, [place for rest in places.values() for place in rest]
