"""What a run printed: the service's log lines, or the log file of runs that have none."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from runferry import chunks, tables
from runferry.dialects.times import time_ns_of
from runferry.dialects.wandb.service import Service
from runferry.losses import Fate, Loss
from runferry.readers.console_log import log_chunks
from runferry.readers.wandb.service.files import RunFiles, following, nodes
from runferry.readers.wandb.service.place import RunPlace
from runferry.readers.wandb.service.position import Position
from runferry.readers.wandb.service.queries import LOG_PAGE

FIRST: Final = 1_000
_MORE: Final = 10_000
_UNSETTLED: Final = 64  # last lines of a run that goes on, which it may still write over
_FILE: Final = "output.log"


@dataclass
class Console:
    """Reads on from `position`."""

    service: Service
    place: RunPlace
    position: Position
    files: RunFiles

    def read(self, node: dict[str, Any], *, is_over: bool) -> Iterator[chunks.Chunk]:
        """The lines since the position; `node` is the run's, with the first page of them."""
        stated = node.get("logLineCount")
        count = stated if isinstance(stated, int) else 0
        if not count:
            if is_over and not self.position.log_lines:
                yield from self._of_file(node.get("files") or {})
            return
        until = count if is_over else max(0, count - _UNSETTLED)
        most = math.inf if is_over else until  # numbers may be higher than the count of lines
        labels = missing = 0
        for page in self._pages(node.get("logLines") or {}):
            lines = [
                line for line in nodes(page) if self.position.log_lines <= _number(line) < most
            ]
            if lines:
                yield chunks.Console(_batch(lines))
                behind = _number(lines[-1]) + 1
                missing += max(0, behind - self.position.log_lines - len(lines))
                self.position.log_lines = behind
                labels += sum(bool(line.get("label")) for line in lines)
            if self.position.log_lines >= until and not (is_over and following(page)):
                end = (page.get("pageInfo") or {}).get("endCursor")
                if is_over and lines and isinstance(end, str):
                    self.position.log_cursor = end  # what comes later stands behind it
                break
        if labels:
            detail = "which of several processes wrote a line"
            yield chunks.Lost(Loss("console-label", Fate.DROPPED, "", labels, detail))
        missing += max(0, until - self.position.log_lines)
        if missing:
            self.position.is_short = True
            detail = f"the service counts {count:,} lines and did not give all of them"
            yield chunks.Lost(Loss("missing-console", Fate.DROPPED, "", missing, detail))

    def _pages(self, page: dict[str, Any]) -> Iterator[dict[str, Any]]:
        while True:
            yield page
            cursor = following(page)
            if cursor is None:
                return
            self.position.log_cursor = cursor
            variables = {**self.place.variables, "first": _MORE, "after": cursor}
            answer = self.service.ask(LOG_PAGE, variables)
            page = self.place.run_in(answer).get("logLines") or {}

    def _of_file(self, page: dict[str, Any]) -> Iterator[chunks.Chunk]:
        file = self.files.first_of(page, _FILE)
        if file is None or file.url is None or not file.size:
            return
        with tempfile.TemporaryDirectory(prefix="runferry-") as folder:
            log = Path(folder, _FILE)
            try:
                with log.open("wb") as copy, self.files.opened(file) as stream:
                    while piece := stream.read(1 << 20):
                        copy.write(piece)
            except FileNotFoundError as error:
                self.position.is_short = True
                yield chunks.Lost(Loss("missing-file", Fate.DROPPED, _FILE, 1, str(error)))
                return
            for _, following_seq, chunk in log_chunks(log, 0, 0):
                self.position.log_lines = following_seq
                yield chunk


def _number(line: dict[str, Any]) -> int:
    found = line.get("number")
    return found if isinstance(found, int) else 0


def _batch(lines: list[dict[str, Any]]) -> pa.RecordBatch:
    times = [time_ns_of(line.get("timestamp")) for line in lines]
    streams = [1 if line.get("level") == "error" else 0 for line in lines]
    columns = {
        "time": pa.array(
            [None if time is None else time // 1000 for time in times], pa.int64()
        ).cast(tables.TIME),
        "time_ns": pa.array([None if time is None else time % 1000 for time in times], pa.int16()),
        "stream": pa.DictionaryArray.from_arrays(
            pa.array(streams, pa.int8()), ["stdout", "stderr"]
        ),
        "line": pa.array([f"{line.get('line') or ''}\n" for line in lines], pa.string()),
        "seq": pa.array([_number(line) for line in lines], pa.int64()),
    }
    return tables.conform(pa.RecordBatch.from_pydict(columns), tables.CONSOLE)
