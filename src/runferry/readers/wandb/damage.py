"""What could not be read, or not as it was, by its place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from runferry.losses import Fate, Loss
from runferry.readers.wandb.heads import Head
from runferry.readers.wandb.history import JsonLines

Damage = tuple[int, int, str]  # offset, length, reason
_MENDED = {
    "bad-utf8": Fate.ROUNDED,  # the value was kept, nearly as it was
    "lone-surrogate": Fate.ROUNDED,
    "merged-key": Fate.MERGED,  # with U+FFFD in it, it is another's key
}


class Reports:
    """Tells of the damage in one file, each only once, also over several reads."""

    def __init__(self, name: str, reported: list[str]) -> None:
        self._name = name
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
            if reason in _MENDED:
                mended.setdefault(reason, []).append(at)
            elif reason in ("cut-tail", "lost-tail"):
                yield _cut(f"{self._name}@{at}", length, is_over=is_over)
            else:
                where = f"{self._name}@{at}"
                yield Loss("damaged-bytes", Fate.DROPPED, where, length, reason)
        for reason, places in mended.items():
            detail = f"U+FFFD stands for what is no text, first at byte {places[0]:,}"
            yield Loss(reason, _MENDED[reason], self._name, len(places), detail)

    def behind(self, offset: int) -> list[str]:
        """What a scan that begins at `offset` will meet again."""
        return [repr(one) for one in self._found if one[0] >= offset]


def _cut(where: str, length: int, *, is_over: bool) -> Loss:
    if is_over:
        detail = "the file ends inside a record, though its run had ended or went on elsewhere"
        return Loss("cut-tail", Fate.DROPPED, where, length, detail)
    detail = "the file ends inside a record: it was cut, or is still being written"
    return Loss("cut-tail", Fate.KEPT, where, length, detail)


def cut_line(lines: JsonLines, *, is_over: bool) -> Iterator[Loss]:
    """The line without an end that `lines` stopped before."""
    if lines.unfinished:
        where = f"{lines.path.name}@{lines.offset}"
        yield _cut(where, lines.unfinished, is_over=is_over)


def rebased(head: Head, shift: int) -> Loss:
    """Says that the steps of a resumed file continue those before it."""
    detail = f"its steps begin at 0 again; {shift:,} was added, as W&B does when it resumes"
    return Loss("rebased-steps", Fate.REENCODED, head.place.label, 1, detail)
