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
_STEPS_AT_MOST: Final = 1 << 62
_FEW: Final = 4  # a page with less than a quarter of its rows is followed by one twice as wide
_ROWS_AT_ONCE: Final = 1_000
_IN_MEMORY: Final = 1 << 20
_LAST: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Rows whose steps are below `end`, and not below where the page before it ended."""

    rows: list[dict[str, Tree]]
    end: int


class HistoryPages:
    """Asks for page after page. No page is sampled: it may have as many rows as it has steps."""

    def __init__(
        self, service: Service, place: RunPlace, start: int, last_step: int | None
    ) -> None:
        self._service = service
        self._place = place
        self._start = start
        self._last = last_step if last_step is not None else _LAST - 1
        self._steps = STEPS

    def next(self) -> HistoryPage | None:
        """The next page; None behind the last step."""
        if self._start > self._last:
            return None
        end = min(self._start + self._steps, self._last + 1)
        answer = self._service.ask(
            HISTORY_PAGE,
            {
                **self._place.variables,
                "minStep": self._start,
                "maxStep": end,
                "pageSize": _samples(end - self._start),
            },
        )
        rows = rows_of(self._place.run_in(answer), self._place)
        self._start = end
        if len(rows) * _FEW < self._steps:
            self._steps = min(self._steps * 2, _STEPS_AT_MOST)
        elif self._steps > STEPS:
            self._steps //= 2
        return HistoryPage(rows, end)


def _samples(steps: int) -> int:
    """How many rows may come: one for each step, as far as GraphQL's integers go."""
    return min(steps, 2**31 - 1)


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
        self._spool = cast(BinaryIO, SpooledTemporaryFile(_IN_MEMORY))  # noqa: SIM115  closed by `with`

    def put(self, rows: list[dict[str, Tree]]) -> None:
        """Keep these behind the others."""
        for row in rows:
            self._spool.write(json.dumps(row).encode() + b"\n")
        self.count += len(rows)

    def batches(self) -> Iterator[list[dict[str, Tree]]]:
        """All of them, some at a time."""
        self._spool.seek(0)
        while some := list(islice(self._spool, _ROWS_AT_ONCE)):
            yield [cast("dict[str, Tree]", json.loads(line)) for line in some]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._spool.close()
