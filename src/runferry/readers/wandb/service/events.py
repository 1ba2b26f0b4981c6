"""The system metrics of a run. The service samples them unless it is asked for all at once."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, cast

from runferry import chunks
from runferry.dialects.json_stream import BrokenJson, JsonStream
from runferry.dialects.json_trees import JsonNotes
from runferry.dialects.wandb.service import Service
from runferry.errors import Damaged, SourceChanged
from runferry.losses import Fate, Loss
from runferry.model import Tree
from runferry.readers.wandb.json_rows import JsonRows
from runferry.readers.wandb.service.place import RunPlace
from runferry.readers.wandb.service.position import Position
from runferry.readers.wandb.service.queries import EVENTS
from runferry.readers.wandb.trees import parse_json

FIRST: Final = 1_000
_GROWTH: Final = 100  # rows that may come while the service is asked
_MOST: Final = 2**31 - 1
_IN_MEMORY: Final = 4 << 20
_OF_THE_SERVICE: Final = frozenset({"_wandb", "_runtime"})
"""What uploading adds to each row: a mark, and the time since the run began."""


@dataclass
class Events:
    """Reads on from `position`."""

    service: Service
    place: RunPlace
    position: Position
    rows: JsonRows

    def read(self, node: dict[str, Any]) -> Iterator[chunks.Chunk]:
        """The rows since the position; `node` is the run's, perhaps with a first answer."""
        stated = node.get("eventsLineCount")
        count = stated if isinstance(stated, int) else 0
        if count < self.position.events:
            raise SourceChanged(
                "there are fewer system metrics than were read before", where=str(self.place)
            )
        if count == self.position.events:
            return
        before = self.position.events
        first = node.get("events")
        found = first if isinstance(first, list) and len(first) >= count else self._all(count)
        number = 0
        for text in found:
            if number >= before:
                yield from self._row(text, number)
            number += 1
        yield from self.rows.drain()
        self.position.events = max(number, before)
        if number < count:
            self.position.is_short = True
            detail = f"the service counts {count:,} rows of system metrics and gave fewer"
            yield chunks.Lost(Loss("missing-events", Fate.DROPPED, "", count - number, detail))

    def _row(self, text: object, number: int) -> Iterator[chunks.Chunk]:
        try:
            row = parse_json(text) if isinstance(text, str) else cast("Tree", text)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            what = "a row of system metrics is no JSON mapping"
            raise Damaged(what, where=str(self.place), offset=None)
        kept = {name: value for name, value in row.items() if name not in _OF_THE_SERVICE}
        yield from self.rows.add(kept, number)

    def _all(self, count: int) -> Iterator[object]:
        """Every row, however many they are: the answer is on the disk while it is walked."""
        variables = {**self.place.variables, "samples": min(count + _GROWTH, _MOST)}
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as spool:
            answer = cast(BinaryIO, spool)
            self.service.ask_into(EVENTS, variables, answer)
            try:
                yield from _strings(JsonStream(answer, JsonNotes()))
            except BrokenJson as error:
                what = f"the answer with the system metrics cannot be read: {error}"
                raise Damaged(what, where=str(self.place), offset=error.offset) from error


def _strings(stream: JsonStream) -> Iterator[object]:
    """The items of `data.project.run.events`."""
    if not stream.is_at("{"):
        stream.skip()
        return
    for name in stream.members():
        if name in ("data", "project", "run"):
            yield from _strings(stream)
        elif name == "events" and stream.is_at("["):
            for items in stream.many_items():
                yield from items
        else:
            stream.skip()
