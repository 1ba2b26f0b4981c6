"""What could not be read, or not as it was, by its place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from runferry.losses import Fate, Loss
from runferry.readers.wandb.heads import Head
from runferry.readers.wandb.history import JsonLines

Damage = tuple[int, int, str]  # offset, length, reason
_MENDED = {"bad-utf8", "lone-surrogate"}  # the value was kept, nearly as it was


class Reports:
    """Tells of the damage in one file, each only once, also over several reads."""

    def __init__(self, name: str, reported: list[str]) -> None:
        self._name = name
        self._reported = set(reported)
        self._found: list[Damage] = []

    def losses(self, damage: Iterable[Damage], offset: int) -> Iterator[Loss]:
        """What is new in a batch after which the scan stood at `offset`.

        Mended texts are as many as lines can be: one loss stands for all of a batch.
        """
        self._found = [one for one in self._found if one[0] >= offset]
        mended: dict[str, list[int]] = {}
        for at, length, reason in damage:
            self._found.append((at, length, reason))
            if repr((at, length, reason)) in self._reported:
                continue
            if reason in _MENDED:
                mended.setdefault(reason, []).append(at)
            else:
                yield self._lost(at, length, reason)
        for reason, places in mended.items():
            detail = f"U+FFFD stands for what is no text, first at byte {places[0]:,}"
            yield Loss(reason, Fate.ROUNDED, self._name, len(places), detail)

    def behind(self, offset: int) -> list[str]:
        """What a scan that begins at `offset` will meet again."""
        return [repr(one) for one in self._found if one[0] >= offset]

    def _lost(self, at: int, length: int, reason: str) -> Loss:
        where = f"{self._name}@{at}"
        if reason == "cut-tail":
            return _cut(where, length)
        return Loss("damaged-bytes", Fate.DROPPED, where, length, reason)


def _cut(where: str, length: int) -> Loss:
    detail = "the file ends inside a record: it was cut, or is still being written"
    return Loss("cut-tail", Fate.KEPT, where, length, detail)


def cut_line(path: Path, lines: JsonLines) -> Loss | None:
    """The line without an end that `lines` stopped before."""
    return _cut(f"{path.name}@{lines.offset}", lines.unfinished) if lines.unfinished else None


def rebased(head: Head, shift: int) -> Loss:
    """Says that the steps of a resumed file continue those before it."""
    detail = f"its steps begin at 0 again; {shift:,} was added, as W&B does when it resumes"
    return Loss("rebased-steps", Fate.REENCODED, head.place.label, 1, detail)
