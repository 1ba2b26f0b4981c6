"""What SwanLab's local dashboard (`swanlab watch`, swanboard 0.1.10b2) reads of a run.

It knows no `.swanlab` files: it lists experiments from `runs.swanlab` (SQLite), and takes values
from JSON lines, a folder for each key. Both are made here of a run folder that is complete. It
shows numbers, images, audio and text, of one project; tags and groups it does not have.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from runferry import _native
from runferry.dialects.swanlab.names import COLUMN, COLUMN_TYPES, CONSOLE, LOGS, MEDIA, TEXT
from runferry.dialects.swanlab.wire import parsed
from runferry.dialects.times import rfc3339
from runferry.writers.plain_folder.run_files import put_link

CHARTS: Final = {1: "line", 2: "image", 3: "audio", 4: "text"}
"""Types of columns that it shows, and what it calls them."""
CONSOLE_NAME: Final = "1970-01-01.log"  # it sorts files by that date
_SLICE: Final = 1_000  # values a file
_DIGITS: Final = 12  # it sorts files by their names as text


@dataclass
class Tag:
    """One key: its folder, its type, and what its summary says."""

    key: str
    folder: str
    kind: str
    count: int = 0
    extremes: dict[str, float] = field(default_factory=dict)

    def see(self, step: int, value: float) -> None:
        """A number at a step."""
        if not math.isfinite(value):
            return
        if "max" not in self.extremes or value > self.extremes["max"]:
            self.extremes |= {"max": value, "max_step": step}
        if "min" not in self.extremes or value < self.extremes["min"]:
            self.extremes |= {"min": value, "min_step": step}


class DashboardLogs:
    """Writes `logs/` and `console/` of one run folder."""

    def __init__(self, home: Path, log: Path, label: str = "") -> None:
        """Folders of keys are numbered behind a `label`, where there are others' too."""
        self._home = home
        self._label = label
        self._scanner = _native.SwanlabScanner(log)
        self._tags: dict[str, Tag] = {}
        self._kinds: dict[str, int] = {}
        self._names: list[str] = []

    def write(self) -> list[Tag]:
        """All of it; the keys in the order in which they came."""
        (self._home / CONSOLE).mkdir()
        while (batch := self._scanner.next()) is not None:
            self._batch(batch)
        for tag in self._tags.values():
            told = {**tag.extremes, "num": tag.count}
            path = self._home / LOGS / tag.folder / "_summary.json"
            path.write_text(json.dumps(told), encoding="utf-8")
        return list(self._tags.values())

    def _batch(self, batch: Any) -> None:
        self._names += batch.series
        others = [(number, parsed(content)) for number, _, _, content in batch.records]
        self._kinds |= {it.text(3): it.integer(2) for number, it in others if number == COLUMN}
        if batch.points is not None:
            self._points(pa.record_batch(batch.points))
        for number, message in others:
            if number == 14 and message.integer(3) in CHARTS:
                self._media(message)
        if batch.console is not None:
            self._lines(pa.record_batch(batch.console).column("line").to_pylist())

    def _lines(self, lines: list[str]) -> None:
        """Of a file without a line the dashboard makes an error."""
        with (self._home / CONSOLE / CONSOLE_NAME).open("a", encoding="utf-8") as console:
            console.writelines(lines)

    def _points(self, rows: pa.RecordBatch) -> None:
        at = rows.schema.get_field_index("time")
        rows = rows.set_column(at, "time", rows.column(at).cast(pa.int64()))
        lines: dict[str, list[str]] = {}
        for row in rows.to_pylist():
            key, step, value = self._names[row["series"]], row["step"], row["value"]
            tag = self._tag(key, "line")
            tag.see(step, value)
            number = value if math.isfinite(value) else str(value).replace("nan", "NaN").upper()
            number = "NaN" if number == "NAN" else number
            lines.setdefault(self._place(tag), []).append(_line(step, number, row))
        for place, found in lines.items():
            self._append(place, found)

    def _media(self, message: Any) -> None:
        kind = message.integer(3)
        tag = self._tag(message.text(1), CHARTS[kind])
        shown, more = [], []
        for value in message.messages(5):
            for item in value.messages(1):
                name = item.text(1)
                shown.append(item.content(5).decode("utf-8", "replace") if kind == TEXT else name)
                more.append({"caption": item.text(4)} if item.text(4) else None)
                if kind != TEXT:
                    self._link(COLUMN_TYPES[kind][0], tag.folder, name)
        time_ns = message.time_ns(4) or 0
        row = {"time": time_ns // 1000, "time_ns": time_ns % 1000}
        self._append(self._place(tag), [_line(message.integer(2), shown, row, more)])

    def _tag(self, key: str, kind: str) -> Tag:
        tag = self._tags.get(key)
        if tag is None:
            tag = self._tags[key] = Tag(key, f"{self._label}{len(self._tags) + 1}", kind)
            (self._home / LOGS / tag.folder).mkdir(parents=True)
        return tag

    def _place(self, tag: Tag) -> str:
        """The file of the next value."""
        tag.count += 1
        last = (tag.count + _SLICE - 1) // _SLICE * _SLICE
        return f"{tag.folder}/{last:0{_DIGITS}}.log"

    def _append(self, place: str, lines: list[str]) -> None:
        with (self._home / LOGS / place).open("a", encoding="utf-8") as stream:
            stream.writelines(lines)

    def _link(self, folder: str, tag: str, name: str) -> None:
        target = self._home / MEDIA / tag / name
        if not target.exists():
            put_link(self._home / MEDIA / folder / name, target)


def _line(step: int, value: object, row: dict[str, Any], more: object = None) -> str:
    time_ns = int(row["time"] or 0) * 1000 + int(row["time_ns"] or 0)
    told: dict[str, object] = {"index": step, "data": value, "create_time": rfc3339(time_ns)}
    if more is not None:
        told["more"] = more
    return json.dumps(told, ensure_ascii=False) + "\n"
