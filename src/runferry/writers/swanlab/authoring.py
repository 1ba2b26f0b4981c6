"""One run as a folder of SwanLab's, made from what is staged of it in our own store."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from runferry import _native
from runferry.dialects.printed import Printed
from runferry.dialects.swanlab.names import (
    FINISH,
    FINISH_NUM,
    MEDIA_RECORD,
    START,
    START_NUM,
    TEXT,
)
from runferry.losses import Fate, Loss
from runferry.model import Run
from runferry.writers.plain_folder.draft import Draft
from runferry.writers.plain_folder.staged import Staged, whole_lines
from runferry.writers.swanlab import attributes as spelled
from runferry.writers.swanlab import charts, media_forms, messages
from runferry.writers.swanlab.columns import Columns
from runferry.writers.swanlab.header import Header, fitted
from runferry.writers.swanlab.place import Place
from runferry.writers.swanlab.run_files import RunFiles

_IMAGE, _AUDIO, _ECHARTS, _OBJECT3D, _MOLECULE, _HTML = 2, 3, 6, 7, 8, 9
_NATIVE: Final = {
    "image": _IMAGE, "audio": _AUDIO, "video": _IMAGE, "object3d": _OBJECT3D,
    "molecule": _MOLECULE, "html": _HTML,
}  # fmt: skip
"""A GIF is an image: SwanLab's server has no columns of videos yet (`transforms/video` of 0.10.3).
To be a video again when its client says so."""
_ROWS_AT_ONCE: Final = 4_096
_MOST_ITEMS: Final = 108
_LARGEST_ITEM: Final = 10 << 20
"""What the client keeps of a media record (`RecordBuilder`); the server was not asked."""

_NO_END: Final = "a line of the console that had no end has one"
_PIECES: Final = "pieces of lines are put together, at the times of the first ones"
_WAITS: Final = "a line that has no end yet is sent when it has one"


class Authoring:
    """Writes the folder `home`, which is to be moved to `place` whole."""

    def __init__(
        self, home: Path, place: Place, draft: Draft, run: Run, *, is_over: bool = True
    ) -> None:
        """In a run that is not over a printed line waits for its end."""
        self._place = place
        self._is_over = is_over
        self._run = run
        self._draft = draft
        self._staged = Staged(draft)
        self._header: Header = fitted(run)
        self._losses = Counter[tuple[str, Fate, str, str]]()
        home.mkdir()
        self.log_name = f"run-{place.run_id}.swanlab"
        self._log_path = home / self.log_name
        self._log = _native.SwanlabLog(self._log_path, started_ns=self._header.started_ns)
        self._columns = self._new_columns()
        self._files = RunFiles(home, draft.home, place.folder, self._log, self._below())

    def go(self) -> int:
        """Write all of it; how many bytes the log has."""
        self._begin()
        self._scalars()
        self._texts()
        self._histograms()
        self._media()
        self._own()
        self._console()
        self._files_of_run()
        self._end()
        self._log.flush()
        return self._log_path.stat().st_size

    def _new_columns(self) -> Columns:
        return Columns(self._log, self._draft.series)

    def _below(self) -> str:
        """The folder of the run's files within those of SwanLab."""
        return ""

    def _begin(self) -> None:
        header = self._header
        start = messages.start(
            header.run, self._place.run_id, header.project, header.workspace, header.started_ns
        )
        self._log.record(START, start, num=START_NUM, time_ns=header.started_ns)

    def _own(self) -> None:
        """What the run is configured with, and what is known of its machine."""
        self._files.put_own(self._run, self._draft.attributes, self._columns.originals)

    def _end(self) -> None:
        finish = messages.finish(self._run, self._header.ended_ns)
        if finish is not None:
            self._log.record(FINISH, finish, num=FINISH_NUM, time_ns=self._header.ended_ns)

    def losses(self) -> tuple[Loss, ...]:
        """What SwanLab is not shown as it is, and no plan foresees."""
        found = [
            Loss(code, fate, where, count, detail)
            for (code, fate, where, detail), count in self._losses.items()
        ]
        retyped = spelled.retyped(self._draft.attributes)
        return (*self._header.losses, *self._columns.retyped, *retyped, *found)

    @property
    def moved(self) -> int:
        """Values that are shown at another step than theirs."""
        return self._log.counts[1]

    # --- rows -------------------------------------------------------------------------------------

    def _scalars(self) -> None:
        for batch in self._staged.batches("points"):
            # nulls are not shown, so a series of nothing else has no column
            is_null = batch.column("value").null_count > 0
            shown = batch.filter(batch.column("value").is_valid()) if is_null else batch
            for key in shown.column("key").unique().cast(pa.string()).to_pylist():
                self._columns.of(key, 1)
            self._log.points(batch)

    def _texts(self) -> None:
        for row in self._rows("texts", ["key", "step", "time", "time_ns", "text"]):
            if row["text"] is not None:
                self._put(row, TEXT, [_inline(row, row["text"].encode(), ".txt")])

    def _histograms(self) -> None:
        for row in self._rows("histograms", ["key", "step", "time", "time_ns", "edges", "counts"]):
            chart = charts.histogram_chart(row["edges"], row["counts"])
            self._put(row, _ECHARTS, [_inline(row, chart, ".json")])

    def _media(self) -> None:
        """Items of one row and key are one record."""
        group: list[dict[str, Any]] = []
        wanted = ["key", "step", "time", "time_ns", "seq", "media_type", "caption", "file"]
        for row in self._rows("media", wanted):
            if group and _row_of(group[0]) != _row_of(row):
                self._put_media(group)
                group = []
            if row["file"] is not None:
                group.append(row)
        if group:
            self._put_media(group)

    def _put_media(self, rows: list[dict[str, Any]]) -> None:
        first = rows[0]
        column_type = _NATIVE.get(first["media_type"])
        if column_type is None:
            self._put_charts(rows)
            return
        made = (self._medium(column_type, row) for row in rows)
        items = [item for item in made if item is not None]
        if len(items) > _MOST_ITEMS or any(size > _LARGEST_ITEM for _, size in items):
            what = f"more than {_MOST_ITEMS} items or 10 MiB, which SwanLab's own client leaves out"
            self._lose("large-media", Fate.REENCODED, first["key"], what)
        if items:
            self._put(first, column_type, [item for item, _ in items])

    def _medium(self, column_type: int, row: dict[str, Any]) -> tuple[bytes, int] | None:
        """An item of a record, and its size; None for a form that SwanLab does not show."""
        kind, step, caption = row["media_type"], row["step"] or 0, row["caption"]
        if kind not in media_forms.CHOOSY:
            return self._files.put_medium(column_type, step, row["file"], caption)
        path = self._draft.home.joinpath(*row["file"].split("/"))
        suffix = media_forms.known_suffix(kind, path)
        if suffix is not None:
            return self._files.put_medium(column_type, step, row["file"], caption, suffix)
        points = media_forms.points_form(path) if kind == "object3d" else None
        if points is None:
            self._put_unshown(row)
            return None
        return self._files.put_made(column_type, step, points, caption, media_forms.POINTS_SUFFIX)

    def _put_unshown(self, row: dict[str, Any], what: str = "") -> None:
        self._files.put_file(row["file"], row["file"])
        no_such = f"SwanLab shows no such {row['media_type']}"
        what = f"{what or no_such}; it is a file of the run"
        self._lose("unshown-media", Fate.REENCODED, row["key"], what)

    def _put_charts(self, rows: list[dict[str, Any]]) -> None:
        """Tables and plots as charts where they can be; else as files of the run."""
        charted = []
        for row in rows:
            path = self._draft.home.joinpath(*row["file"].split("/"))
            chart = charts.chart_of(row["media_type"], path)
            if chart.content is None:
                self._put_unshown(row, chart.told)
                continue
            charted.append(_inline(row, chart.content, ".json"))
            if chart.told:
                self._files.put_file(row["file"], row["file"])
                self._lose("drawn-plot", Fate.REENCODED, row["key"], chart.told)
        if charted:
            self._put(rows[0], _ECHARTS, charted)

    def _put(self, row: dict[str, Any], column_type: int, items: list[bytes]) -> None:
        column = self._columns.of(row["key"], column_type)
        step = self._log.step(column.lane, row["step"])
        assert step is not None
        time_ns = _time_ns(row)
        if time_ns is None:
            time_ns = self._header.started_ns
        message = messages.media(column.name, step, column_type, time_ns, items)
        self._log.record(MEDIA_RECORD, message, time_ns=time_ns)

    def _console(self) -> None:
        """What was printed, by lines: SwanLab has one time of each, and knows no pieces."""
        waiting = None if self._is_over else Printed("ended")
        has_lines = False
        unended = 0
        for batch in self._staged.printed(waiting):
            unended += pc.sum(pc.invert(whole_lines(batch)), min_count=0).as_py()
            self._log.console(batch)
        pieces = 0
        for batch in self._staged.batches("console"):
            has_lines = True
            timeless = batch.column("time").null_count
            self._lose("null-time", Fate.REENCODED, "", "shown at the time before", timeless)
            pieces += pc.sum(pc.invert(whole_lines(batch)), min_count=0).as_py()
        if has_lines:
            self._lose("value", Fate.REENCODED, "", _NO_END, unended)
            self._lose("console", Fate.REENCODED, "", _PIECES, pieces - unended)
        if waiting is not None:
            self._lose("console", Fate.DROPPED, "", _WAITS, waiting.open_lines)

    def _files_of_run(self) -> None:
        for file in self._staged.files():
            self._files.put_file(file.path, file.staged)
        for artifact in self._staged.artifacts():
            folder = f"{artifact.name}-{artifact.version}" if artifact.version else artifact.name
            for path, staged in artifact.members:
                self._files.put_file(f"artifacts/{folder}/{path}", staged)

    def _rows(self, table: str, wanted: list[str]) -> Iterator[dict[str, Any]]:
        for batch in self._staged.batches(table):
            rows = batch.select(wanted)
            at = rows.schema.get_field_index("time")
            rows = rows.set_column(at, "time", rows.column(at).cast(pa.int64()))
            for first in range(0, rows.num_rows, _ROWS_AT_ONCE):
                yield from rows.slice(first, _ROWS_AT_ONCE).to_pylist()

    def _lose(self, code: str, fate: Fate, where: str, detail: str, count: int = 1) -> None:
        if count:
            self._losses[code, fate, where, detail] += count


def _row_of(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["key"], row["seq"], row["media_type"], row["step"]


def _time_ns(row: dict[str, Any]) -> int | None:
    return None if row["time"] is None else int(row["time"]) * 1000 + (row["time_ns"] or 0)


def _inline(row: dict[str, Any], content: bytes, suffix: str) -> bytes:
    """An item whose bytes stand in the record; named as the client names its files."""
    sha256 = hashlib.sha256(content).hexdigest()
    name = f"{max(row['step'] or 0, 0):03d}-{sha256[:8]}{suffix}"
    return messages.item(name, sha256, len(content), row.get("caption"), content)
