"""What a native scanner could not read, or not as it was, as losses with their places."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from runferry.chunks import Lost
from runferry.losses import Fate, Loss
from runferry.readers.standing_losses import StandingLosses

Damage = tuple[int, int, str]  # offset, length, reason


class Reports:
    """Tells of the damage in one file, each only once, also over several reads."""

    def __init__(
        self, name: str, standing: StandingLosses, mended: Mapping[str, tuple[Fate, str]]
    ) -> None:
        """`mended`: of reasons that change a value only, the fate and what became of it."""
        self._name = name
        self._standing = standing
        self._mended = mended
        self._open: list[Damage] = []

    def losses(self, damage: Iterable[Damage], offset: int) -> Iterator[Lost]:
        """What is certain in a batch after which the scan stood at `offset`.

        Bytes behind that may be a record that is still being written; they wait.
        """
        found = [*self._open, *damage]
        self._open = [one for one in found if one[0] >= offset]
        certain = (one for one in found if one[0] < offset)
        yield from self._standing.settled(self._told(certain, is_over=True))

    def ending(self, offset: int, *, is_over: bool) -> Iterator[Lost]:
        """What is left at the end of a scan that stands at `offset`.

        A scan that goes on from there meets it again, if it is still so. The record at the end of
        a file may still be being written, unless the file `is_over`.
        """
        yield from self.losses((), offset)
        yield from self._standing.met(self._told(self._open, is_over=is_over))

    def _told(self, damage: Iterable[Damage], *, is_over: bool) -> Iterator[Loss]:
        """Mended texts are as many as lines can be: one loss stands for all of a batch."""
        mended: dict[str, list[int]] = {}
        for at, length, reason in damage:
            if reason in self._mended:
                mended.setdefault(reason, []).append(at)
            elif reason == "cut-tail":
                yield cut(f"{self._name}@{at}", length, is_over=is_over)
            else:
                where = f"{self._name}@{at}"
                yield Loss("damaged-bytes", Fate.DROPPED, where, length, reason)
        for reason, places in mended.items():
            fate, told = self._mended[reason]
            detail = f"{told}, first at byte {places[0]:,}"
            yield Loss(reason, fate, self._name, len(places), detail)


def cut(where: str, length: int, *, is_over: bool) -> Loss:
    """The end of a file that lies inside a record; `is_over`: nobody writes to it any more."""
    if is_over:
        detail = "the file ends inside a record, though its run had ended or went on elsewhere"
        return Loss("cut-tail", Fate.DROPPED, where, length, detail)
    detail = "the file ends inside a record: it was cut, or is still being written"
    return Loss("cut-tail", Fate.KEPT, where, length, detail)
