"""Losses that say how a source is now: told once, and taken back when it is so no more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from runferry.chunks import Lost
from runferry.dialects.codec import loss_of, loss_tree
from runferry.errors import SourceChanged
from runferry.losses import Loss
from runferry.model import Tree


class StandingLosses:
    """Over several reads of a run: the end of a file that still grows, a file that is not there.

    Each read meets them again as long as they hold. What an earlier one told, and this one did not
    meet, is taken back: the rest of a record has come, or the file.
    """

    def __init__(self, told: Iterable[Tree] = ()) -> None:
        """`told` is the `tree` of the read before. Raises SourceChanged if it is none."""
        try:
            self._before = dict.fromkeys(map(loss_of, told))
        except (TypeError, KeyError, ValueError) as error:
            raise SourceChanged(
                "the cursor tells losses in words of another version",
                hint="pull the run into a new archive",
            ) from error
        self._now: dict[Loss, None] = {}

    def met(self, losses: Iterable[Loss]) -> Iterator[Lost]:
        """What holds now; given on if it was not told before."""
        for loss in losses:
            if loss not in self._before and loss not in self._now:
                yield Lost(loss)
            self._now[loss] = None

    def settled(self, losses: Iterable[Loss]) -> Iterator[Lost]:
        """What holds for good, so that no later read meets it; given on if it was not told."""
        for loss in losses:
            if loss in self._before:
                del self._before[loss]
            else:
                yield Lost(loss)

    def ending(self) -> Iterator[Lost]:
        """Once all was read: what was told before and holds no more, taken back."""
        for loss in self._before:
            if loss not in self._now:
                yield Lost(replace(loss, count=-loss.count))

    def tree(self) -> list[Tree]:
        """What holds now, for the cursor."""
        return [loss_tree(loss) for loss in self._now]
