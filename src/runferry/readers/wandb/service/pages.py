"""Pages of a history by steps: how many steps each has, and where the next one begins."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, Final, Self, cast

from runferry.dialects.wandb.service import Service
from runferry.errors import Damaged
from runferry.model import Tree
from runferry.readers.wandb.service.place import RunPlace
from runferry.readers.wandb.service.queries import HISTORY_PAGE
from runferry.readers.wandb.trees import parse_json

STEPS: Final = 1_000
"""Steps of the first page, as the vendor's client takes them."""
_ROWS_AT_LEAST: Final = 16
_ROWS_AT_MOST: Final = 10_000
_VALUES: Final = 1_000_000  # of a page in memory
_STEPS_AT_MOST: Final = 1 << 62
_FEW: Final = 4  # a page with less than a quarter of its rows is followed by one twice as wide
_ROWS_AT_ONCE: Final = 1_000
_IN_MEMORY: Final = 1 << 20
_VALUES_HELD: Final = 100_000  # the first ones, which often are all, wait as they are
_LAST: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Rows whose steps are below `end`, and not below where the page before it ended."""

    rows: list[dict[str, Tree]]
    end: int


class HistoryPages:
    """Asks for page after page, each with at most so many rows that none of them is sampled.

    `width` is how many names a row may have: the wider rows are, the fewer a page has.
    """

    def __init__(
        self, service: Service, place: RunPlace, start: int, last_step: int | None, width: int
    ) -> None:
        self._service = service
        self._place = place
        self._start = start
        self._last = last_step if last_step is not None else _LAST - 1
        self._rows = max(_ROWS_AT_LEAST, min(_ROWS_AT_MOST, _VALUES // max(1, width)))
        self._steps = min(STEPS, self._rows)

    def next(self) -> HistoryPage | None:
        """The next page; None behind the last step."""
        while self._start <= self._last:
            end = min(self._start + self._steps, self._last + 1)
            steps = end - self._start
            rows = self._asked(end, min(steps, self._rows))
            if len(rows) >= self._rows < steps:
                self._steps //= 2  # there may be more rows than it gave: ask for fewer steps
                continue
            self._start = end
            if len(rows) * _FEW < steps:
                self._steps = min(self._steps * 2, _STEPS_AT_MOST)
            return HistoryPage(rows, end)
        return None

    def _asked(self, end: int, rows: int) -> list[dict[str, Tree]]:
        variables = {"minStep": self._start, "maxStep": end, "pageSize": rows}
        answer = self._service.ask(HISTORY_PAGE, {**self._place.variables, **variables})
        return rows_of(self._place.run_in(answer), self._place)


def rows_of(node: dict[str, Any], place: RunPlace) -> list[dict[str, Tree]]:
    """The rows of a page. Raises Damaged for what is none."""
    rows = []
    for text in node.get("history") or ():
        try:
            row = parse_json(text) if isinstance(text, str) else text
        except ValueError:
            row = None
        if not isinstance(row, dict):
            raise Damaged("a row of the history is no JSON mapping", where=str(place), offset=None)
        rows.append(row)
    return rows


class Rest:
    """Rows that are kept until it is known whether they are all; on the disk when they are many."""

    def __init__(self) -> None:
        self.count = 0
        self._held: list[list[dict[str, Tree]]] = []
        self._values = 0
        self._spool = cast(BinaryIO, SpooledTemporaryFile(_IN_MEMORY))  # noqa: SIM115  closed by `with`

    def put(self, rows: list[dict[str, Tree]]) -> None:
        """Keep these behind the others."""
        self.count += len(rows)
        self._values += sum(map(len, rows))
        if self._values <= _VALUES_HELD:
            self._held.append(rows)
            return
        for row in rows:
            self._spool.write(json.dumps(row).encode() + b"\n")

    def batches(self) -> Iterator[list[dict[str, Tree]]]:
        """All of them, some at a time."""
        yield from self._held
        self._spool.seek(0)
        while some := list(islice(self._spool, _ROWS_AT_ONCE)):
            yield [cast("dict[str, Tree]", json.loads(line)) for line in some]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._spool.close()
