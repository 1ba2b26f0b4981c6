"""The whole history of a run: what is exported, then the live rest, checked against the counts.

A row is taken once, wherever the service has it: pages by steps may or may not hold rows that are
exported too, and an export may be older than the counts.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from runferry import chunks
from runferry.dialects.wandb.service import Expired, Service
from runferry.errors import SourceChanged
from runferry.http.waits import wait
from runferry.losses import Fate, Loss
from runferry.model import Tree
from runferry.readers.row_batches import whole_step
from runferry.readers.standing_losses import StandingLosses
from runferry.readers.wandb.json_rows import JsonRows
from runferry.readers.wandb.service.column_rows import ColumnRows
from runferry.readers.wandb.service.export_rows import ExportRows
from runferry.readers.wandb.service.exports import Exports
from runferry.readers.wandb.service.live_rows import LiveRows
from runferry.readers.wandb.service.names import Names
from runferry.readers.wandb.service.pages import HistoryPage, HistoryPages, Rest
from runferry.readers.wandb.service.place import RunPlace
from runferry.readers.wandb.service.position import Position
from runferry.readers.wandb.service.queries import EXPORTS
from runferry.readers.wandb.service.stated import Stated

_log = logging.getLogger(__name__)
_HELD_BACK: Final = "rows that the service counts and has not given"
_PAUSES: Final = (0.5, 2.0)  # before the service is asked again for what it held back


@dataclass
class History:
    """Reads on from `position`, and brings it up to date."""

    service: Service
    place: RunPlace
    stated: Stated
    position: Position
    rows: JsonRows
    names: Names
    standing: StandingLosses

    def read(self, first: HistoryPage, urls: list[str]) -> Iterator[chunks.Chunk]:
        """All rows since the position. Raises SourceChanged when it does not fit any more.

        `first` is the page that begins with the last row that was read, or with the first one of
        all; `urls` are those of the exports.
        """
        self._check(first)
        wanted = self.stated.rows - self.position.rows
        fresh = self._behind(first.rows, self.position.last_step)
        if len(fresh) >= wanted or not urls:
            yield from self._live(fresh, first)
        else:
            yield from self._exported(first, urls, wanted)
        self.position.counts = self.names.counts()
        yield from map(chunks.Lost, self._shortages())
        if not self.position.is_short:
            yield from self.standing.met(self._nulls())

    # --- does the position still fit

    def _check(self, first: HistoryPage) -> None:
        position, stated = self.position, self.stated
        is_less = stated.rows < position.rows
        if position.last_step is not None and not is_less:
            if stated.last_step is not None and stated.last_step < position.last_step:
                is_less = True
            last = [row for row in first.rows if _step(row) == position.last_step]
            if last and _time(last[-1]) != position.last_row:
                is_less = True
        if is_less:
            raise SourceChanged(
                "the history is not the one that was read before: it was rewound or made anew",
                where=str(self.place),
                hint="pull it into a new archive to keep both",
            )

    # --- live rows

    def _live(self, fresh: list[dict[str, Tree]], first: HistoryPage) -> Iterator[chunks.Chunk]:
        """Rows of pages only."""
        yield from self._taken(fresh)
        start = first.end
        for pause in (*_PAUSES, None):
            pages = self._pages(start)
            while self.position.rows < self.stated.rows and (page := pages.next()) is not None:
                yield from self._taken(self._behind(page.rows, self.position.last_step))
            if pause is None or self.position.rows >= self.stated.rows:
                break
            wait(pause, _HELD_BACK)
            start = 0 if self.position.last_step is None else self.position.last_step + 1
        yield from self.rows.drain()

    def _pages(self, start: int) -> HistoryPages:
        width = len(self.stated.types)
        return HistoryPages(self.service, self.place, start, self.stated.last_step, width)

    def _behind(self, rows: list[dict[str, Tree]], last: int | None) -> list[dict[str, Tree]]:
        """The rows whose step is later."""
        if last is None:
            return rows
        return [row for row in rows if (step := _step(row)) is None or step > last]

    def _taken(self, rows: list[dict[str, Tree]]) -> Iterator[chunks.Chunk]:
        yield from LiveRows(self.rows, self._columns, self.names, self.stated).give(
            rows, self.position.rows
        )
        self.position.rows += len(rows)
        for row in reversed(rows):
            if (step := _step(row)) is not None:
                self.position.last_step, self.position.last_row = step, _time(row)
                break

    @property
    def _columns(self) -> ColumnRows:
        return ColumnRows(self.rows, self.names)

    # --- exports

    def _exported(self, first: HistoryPage, urls: list[str], wanted: int) -> Iterator[chunks.Chunk]:
        """Exports and what is live behind them, once both together are all that there is."""
        for pause in (*_PAUSES, None):
            with self._fetched(urls) as exports, Rest() as live:
                is_overlapping = any(exports.covers(_step(row) or 0) for row in first.rows)
                if is_overlapping and self.stated.has_nulls:
                    break  # pages hold all rows, and tell a null from nothing
                missing = wanted - self._known(exports)
                self._fill(live, exports, first, missing)
                if pause is None or live.count >= missing:
                    yield from self._both(exports, live)
                    return
            _log.info("%s: the service held rows back; asking again", self.place)
            wait(pause, _HELD_BACK)
            urls = self._fresh_urls() or urls
        yield from self._live(self._behind(first.rows, self.position.last_step), first)

    def _fetched(self, urls: list[str]) -> Exports:
        """The exports; URLs that have expired meanwhile are asked for anew, once."""
        try:
            return Exports.fetched(self.service, urls, str(self.place))
        except Expired:
            return Exports.fetched(self.service, self._fresh_urls(), str(self.place))

    def _fresh_urls(self) -> list[str]:
        answer = self.service.ask(EXPORTS, {**self.place.variables, "liveKeys": ["_step"]})
        return export_urls(self.place.run_in(answer))

    def _known(self, exports: Exports) -> int:
        """How many exported rows are new. Raises SourceChanged if the others are not as before."""
        last = self.position.last_step
        if last is None:
            return exports.rows_until()
        before = exports.rows_until(last)
        if exports.last_step >= last and before != self.position.rows:
            raise SourceChanged(
                "the exported history does not begin with what was read before",
                where=str(self.place),
                hint="pull it into a new archive to keep both",
            )
        return exports.rows_until() - before

    def _fill(self, rest: Rest, exports: Exports, first: HistoryPage, missing: int) -> None:
        """The rows behind the exports: their number must be known before any row is given."""
        last = max(
            exports.last_step, -1 if self.position.last_step is None else self.position.last_step
        )
        if first.end > last:
            rest.put(self._behind(first.rows, last))
        pages = self._pages(max(first.end, last + 1))
        while rest.count < missing and (page := pages.next()) is not None:
            rest.put(page.rows)

    def _both(self, exports: Exports, live: Rest) -> Iterator[chunks.Chunk]:
        position = self.position
        exported = ExportRows(self._columns, self.stated, position.rows, position.last_step)
        yield from exported.read(exports)
        if exported.number > position.rows:
            position.last_step = exported.last_step
            time = exported.last_time
            position.last_row = "" if time is None else repr(float(time))
        position.rows = exported.number
        for rows in live.batches():
            yield from self._taken(rows)
        yield from self.rows.drain()

    # --- is it all

    def _shortages(self) -> Iterator[Loss]:
        """What the service counts and did not give; then the run is to be read anew next time."""
        missing = self.stated.rows - self.position.rows
        if missing > 0:
            self.position.is_short = True
            detail = f"the service counts {self.stated.rows:,} rows of history and gave fewer"
            yield Loss("missing-rows", Fate.DROPPED, "", missing, detail)
        else:
            for name, count in self.stated.shortage(self.names.values).items():
                self.position.is_short = True
                detail = "values that the service counts and did not give"
                yield Loss("missing-points", Fate.DROPPED, name, count, detail)

    def _nulls(self) -> Iterator[Loss]:
        """Nulls that an export has as nothing."""
        for name, count in self.stated.nulls_missing(self.names.nulls).items():
            detail = "logged as null; exports of W&B do not tell that from nothing"
            yield Loss("null-value", Fate.DROPPED, name, count, detail)


def export_urls(node: dict[str, Any]) -> list[str]:
    """Of a run's node."""
    found = (node.get("parquetHistory") or {}).get("parquetUrls") or []
    return [str(url) for url in found]


def _step(row: dict[str, Tree]) -> int | None:
    return whole_step(row.get("_step"))


def _time(row: dict[str, Tree]) -> str:
    """When a row was logged, in a form that does not depend on where it was read."""
    value = row.get("_timestamp")
    return repr(float(value)) if isinstance(value, (int, float)) else ""
