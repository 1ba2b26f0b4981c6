"""What a native scanner could not read, or not as it was, as losses with their places."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from runferry.losses import Fate, Loss

Damage = tuple[int, int, str]  # offset, length, reason


class Reports:
    """Tells of the damage in one file, each only once, also over several reads."""

    def __init__(
        self, name: str, reported: list[str], mended: Mapping[str, tuple[Fate, str]]
    ) -> None:
        """`mended`: of reasons that change a value only, the fate and what became of it."""
        self._name = name
        self._mended = mended
        self._reported = set(reported)
        self._found: list[Damage] = []

    def losses(self, damage: Iterable[Damage], offset: int, *, is_over: bool) -> Iterator[Loss]:
        """What is new in a batch after which the scan stood at `offset`.

        Mended texts are as many as lines can be: one loss stands for all of a batch. The record at
        the end of a file may still be being written, unless the file `is_over`.
        """
        self._found = [one for one in self._found if one[0] >= offset]
        mended: dict[str, list[int]] = {}
        for at, length, met in damage:
            reason = "lost-tail" if met == "cut-tail" and is_over else met
            self._found.append((at, length, reason))
            if repr((at, length, reason)) in self._reported:
                continue
            if reason in self._mended:
                mended.setdefault(reason, []).append(at)
            elif reason in ("cut-tail", "lost-tail"):
                yield cut(f"{self._name}@{at}", length, is_over=is_over)
            else:
                where = f"{self._name}@{at}"
                yield Loss("damaged-bytes", Fate.DROPPED, where, length, reason)
        for reason, places in mended.items():
            fate, told = self._mended[reason]
            detail = f"{told}, first at byte {places[0]:,}"
            yield Loss(reason, fate, self._name, len(places), detail)

    def behind(self, offset: int) -> list[str]:
        """What a scan that begins at `offset` will meet again."""
        return [repr(one) for one in self._found if one[0] >= offset]


def cut(where: str, length: int, *, is_over: bool) -> Loss:
    """The end of a file that lies inside a record; `is_over`: nobody writes to it any more."""
    if is_over:
        detail = "the file ends inside a record, though its run had ended or went on elsewhere"
        return Loss("cut-tail", Fate.DROPPED, where, length, detail)
    detail = "the file ends inside a record: it was cut, or is still being written"
    return Loss("cut-tail", Fate.KEPT, where, length, detail)
