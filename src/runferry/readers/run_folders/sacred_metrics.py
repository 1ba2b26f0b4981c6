"""sacred's `metrics.json`: of each name, steps, timestamps and values as lists side by side.

The document is written anew with every heartbeat and may be large, so it is walked twice: once for
where the lists begin, and once along the three of each metric at the same time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

from runferry import chunks
from runferry.dialects.json_stream import BrokenJson, JsonStream
from runferry.dialects.json_trees import JsonNotes, leaves
from runferry.dialects.times import time_ns_of
from runferry.losses import Fate, Loss
from runferry.model import Tree
from runferry.readers.read_part import changed
from runferry.readers.run_folders.documents import broken, noted
from runferry.readers.run_folders.logged_rows import LoggedRows, address, step_of
from runferry.readers.run_folders.position import Rewritten, RowsDigest
from runferry.readers.run_folders.sacred_values import Decoded, decoded

METRICS = "metrics.json"
_LISTS = ("steps", "timestamps", "values")
_ABSENT = object()


@dataclass
class Metrics:
    """The metrics of a run, after what `done` says of each; losses are added up while reading.

    `seq` is the time of a value in microseconds, moved up where two of a metric would share it: so
    it is the order in which all values were logged, and values that are yet to come change none.
    """

    path: Path
    done: dict[str, Rewritten]
    rows: LoggedRows
    met: Decoded
    losses: list[Loss] = field(default_factory=list)

    def read(self) -> Iterator[chunks.Chunk]:
        """The values that have not been read. Raises SourceChanged if those that were are gone."""
        missing = {name for name, one in self.done.items() if one.rows}
        for name, places in self._places().items():
            missing.discard(name)
            yield from self._metric(name, places)
        if missing:
            raise changed(self.path)

    def _places(self) -> dict[str, dict[str, int]]:
        """Where the lists of each metric begin, in bytes."""
        found: dict[str, dict[str, int]] = {}
        notes = JsonNotes()
        try:
            with self.path.open("rb") as stream:
                walk = JsonStream(stream, notes)
                for name in walk.members():
                    if not walk.is_at("{"):
                        self._strange(name, walk.value())
                        continue
                    places = found[name] = {}
                    for part in walk.members():
                        if part in _LISTS and walk.is_at("["):
                            places[part] = walk.offset
                            walk.skip()
                        else:
                            self._strange(f"{name}/{part}", walk.value())
                walk.end()
        except BrokenJson as error:
            self.losses.append(broken(error, METRICS))
        self.losses.extend(noted(notes, METRICS))
        return found

    def _strange(self, where: str, value: Tree) -> None:
        why = f"no list of a metric: {str(value)[:40]}"
        self.losses.append(Loss("not-a-metric", Fate.DROPPED, f"{METRICS}: {where}", 1, why))

    def _metric(self, name: str, places: dict[str, int]) -> Iterator[chunks.Chunk]:
        done = self.done.setdefault(name, Rewritten())
        before, expected, digest = done.rows, done.digest, RowsDigest()
        unpaired = 0
        with ExitStack() as stack:
            columns = [self._items(stack, places.get(part)) for part in _LISTS]
            for row in zip_longest(*columns, fillvalue=_ABSENT):
                if row[2] is _ABSENT:
                    unpaired += 1
                    continue
                digest.add(repr(tuple(item for item in row if item is not _ABSENT)))
                if digest.rows > before:
                    at = f"{name}[{digest.rows - 1}]"
                    yield from self._row(name, at, done, row)
                elif digest.rows == before and digest.text() != expected:
                    raise changed(self.path)
        if unpaired:
            why = f"there are more steps or timestamps than the {digest.rows:,} values"
            where = f"{METRICS}: {name}"
            self.losses.append(Loss("unpaired", Fate.DROPPED, where, unpaired, why))
        if digest.rows < before:
            raise changed(self.path)
        done.rows, done.digest = digest.rows, digest.text()

    def _items(self, stack: ExitStack, offset: int | None) -> Iterator[object]:
        """The items of the list at `offset`; what follows a break was told by the first walk."""
        if offset is None:
            return
        stream = stack.enter_context(self.path.open("rb"))
        walk = JsonStream(stream, JsonNotes(), offset)
        try:
            for items in walk.many_items():
                yield from items
        except BrokenJson:
            return

    def _row(
        self, name: str, at: str, done: Rewritten, row: tuple[object, ...]
    ) -> Iterator[chunks.Chunk]:
        step, stamp, value = row
        time_ns = time_ns_of(stamp) if isinstance(stamp, str) else None
        taken = step_of(step) if isinstance(step, (int, float)) else None
        if taken is None and step is not None:
            yield self._lost("bad-step", at, "a step that is none, or no step for a value")
        if time_ns is None and stamp is not None:
            yield self._lost("bad-time", at, "a timestamp that is none, or none for a value")
        least = done.last_seq + 1
        done.last_seq = least if time_ns is None else max(least, time_ns // 1000)
        tree = decoded(value, self.met)  # type: ignore[arg-type]  # JSON, as the walk gave it
        yield from self.rows.add(address(done.last_seq, taken, time_ns), leaves(tree, (name,)))

    def _lost(self, code: str, name: str, why: str) -> chunks.Lost:
        return chunks.Lost(Loss(code, Fate.DROPPED, f"{METRICS}: {name}", 1, why))
