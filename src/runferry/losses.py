"""What was not carried, how many, and what became of it: loss is data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum


class Fate(IntEnum):
    """What becomes of something, from best to worst; comparable."""

    KEPT = 0
    RENAMED = 1  # another name; the original name is stored
    REENCODED = 2  # another form from which the original is restored exactly
    ROUNDED = 3  # close to the original, which is gone
    MERGED = 4  # several became one
    DROPPED = 5  # gone

    @property
    def label(self) -> str:
        """The word used on the command line and in reports: `re-encoded`, `dropped`, …"""
        return "re-encoded" if self is Fate.REENCODED else self.name.lower()

    @classmethod
    def parse(cls, label: str) -> Fate:
        """The inverse of `label`; raises ValueError for a word that is no fate."""
        for fate in cls:
            if label.strip().lower() in (fate.label, fate.name.lower()):
                return fate
        raise ValueError(f"no such fate: {label}")


@dataclass(frozen=True, slots=True)
class Loss:
    """`count` things of the kind `code`, at `where`, met `fate`.

    `code` is a short stable slug (`infinite-value`, `damaged-bytes`, `missing-blob`), `where` the
    narrowest place that all of them share: a series key, an attribute path, a file with an offset,
    or empty for the whole run. `detail` is one sentence for people.

    A reader that goes on takes back what it told and is so no more with a `count` below zero.
    """

    code: str
    fate: Fate
    where: str = ""
    count: int = 1
    detail: str = ""


@dataclass
class LossLedger:
    """Adds losses up by (code, fate, where); the first detail given for each is kept."""

    _sums: dict[tuple[str, Fate, str], tuple[int, str]] = field(default_factory=dict)

    def add(self, loss: Loss) -> None:
        """Count one more loss, or those less that are taken back; nothing left is no loss."""
        key = (loss.code, loss.fate, loss.where)
        count, detail = self._sums.get(key, (0, loss.detail))
        if count + loss.count > 0:
            self._sums[key] = (count + loss.count, detail)
        else:
            self._sums.pop(key, None)

    def extend(self, losses: Iterable[Loss]) -> None:
        """Count several."""
        for loss in losses:
            self.add(loss)

    def __iter__(self) -> Iterator[Loss]:
        for (code, fate, where), (count, detail) in self._sums.items():
            yield Loss(code, fate, where, count, detail)

    def __len__(self) -> int:
        return len(self._sums)

    @property
    def worst(self) -> Fate:
        """The worst fate counted; KEPT when there is none."""
        return max((fate for _, fate, _ in self._sums), default=Fate.KEPT)


def beyond(losses: Iterable[Loss], allowed: Fate) -> tuple[Loss, ...]:
    """Those that are worse than what the user allowed."""
    return tuple(loss for loss in losses if loss.fate > allowed)
