"""How much of a growing run its task has, as one system tag of the task says it.

    runferry-grown-<points>-<histograms>-<media>-<lines>-<events>-<facts>

`events` is a hash of as many events as it counts, `facts` one of what the task says besides.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, Self

from runferry.dialects.clearml.names import LOG_FILE, MARK, METRICS_FILE
from runferry.writers.clearml.authored_events import EventsPart
from runferry.writers.clearml.authoring import Parts

_TAG: Final = re.compile(rf"{MARK}grown-(\d+)-(\d+)-(\d+)-(\d+)-([0-9a-z]+)-([0-9a-z]+)")
_NONE: Final = "none"
_OF_NOTHING: Final = hashlib.blake2b(digest_size=8).hexdigest()

Counts = tuple[int, int, int, int]
"""How many points, histograms, media and lines."""


@dataclass(frozen=True, slots=True)
class Grown:
    """What was there when a delivery ended; nothing of a task that was just made."""

    counts: Counts = (0, 0, 0, 0)
    events: str = _OF_NOTHING
    facts: str = _NONE

    @classmethod
    def unknown(cls) -> Self:
        """Of a task that has other events than it should: no run begins with these."""
        return cls(events=_NONE)

    @property
    def tag(self) -> str:
        """As the task has it."""
        return "-".join((f"{MARK}grown", *map(str, self.counts), self.events, self.facts))

    @classmethod
    def among(cls, tags: Iterable[str]) -> Self | None:
        """None for a task that did not grow."""
        for tag in tags:
            found = _TAG.fullmatch(tag)
            if found is not None:
                points, histograms, media, lines = map(int, found.groups()[:4])
                return cls((points, histograms, media, lines), found[5], found[6])
        return None

    @property
    def has_arrived(self) -> bool:
        """Whether a delivery to this task has ended well."""
        return self.facts != _NONE

    def begins(self, authored: GrowingEvents) -> bool:
        """Whether what is there is the beginning of what there is now."""
        return self.events == authored.hashed(self.counts)


class GrowingEvents:
    """The events of an authored session, apart by what only ever grows at its end."""

    def __init__(self, session: Path, parts: Parts) -> None:
        points, singles, histograms = parts
        metrics, log = session / METRICS_FILE, session / LOG_FILE
        before_media = points + singles + histograms
        self.points = EventsPart(metrics, 0, points)
        self.singles = EventsPart(metrics, points, points + singles)
        self.histograms = EventsPart(metrics, points + singles, before_media)
        self.media = EventsPart(metrics, before_media)
        self.lines = EventsPart(log)

    @property
    def counts(self) -> Counts:
        """How many there are of what only grows; values by themselves change instead."""
        points, histograms, media, lines = (part.count() for part in self._growing)
        return points, histograms, media, lines

    def hashed(self, counts: Counts) -> str:
        """A hash of so many of each."""
        found = hashlib.blake2b(digest_size=8)
        for part, count in zip(self._growing, counts, strict=True):
            for event in islice(part.events(), count):
                found.update(event)
        return found.hexdigest()

    @property
    def _growing(self) -> tuple[EventsPart, ...]:
        return self.points, self.histograms, self.media, self.lines
