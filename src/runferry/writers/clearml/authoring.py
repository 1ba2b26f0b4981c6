"""One run as an offline session, from what is staged of it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from runferry.dialects.clearml.names import (
    DATA,
    LOG,
    LOG_FILE,
    METRICS_FILE,
    PLOT,
    SAMPLE,
    SCALAR,
    SINGLE_ITERATION,
    SINGLE_METRIC,
    TASK_FILE,
    Event,
    Task,
)
from runferry.dialects.clearml.own_copy import Span
from runferry.dialects.json_trees import NO_NUMBERS, finite, parse_json
from runferry.dialects.printed import Printed
from runferry.losses import Loss
from runferry.model import Attribute, Run, Uid
from runferry.writers.clearml.data_files import DataFiles
from runferry.writers.clearml.event_file import EventFile
from runferry.writers.clearml.task_json import (
    Parameters,
    name_of,
    project_of,
    task_of,
    task_text,
)
from runferry.writers.clearml.titles import SingleNames, Titles
from runferry.writers.plain_folder.draft import Draft
from runferry.writers.plain_folder.staged import Staged

_PLOT_AT_MOST: Final = 4 << 20  # bytes; larger ones are files
_PACKAGES_AT_MOST: Final = 1 << 20
_WORKER: Final = "runferry"

Parts = tuple[int, int, int]
"""How many points, single values and histograms `metrics.jsonl` begins with; then come media."""


class Authoring:
    """Writes `task.json`, the events and the files of a session into a folder."""

    def __init__(
        self,
        session: Path,
        own: Draft,
        run: Run,
        place: Path,
        titles: Titles,
    ) -> None:
        """`place` is where the session is going to lie; its name is the task's id."""
        self._session = session
        self._staged = Staged(own)
        self._run = run
        self._place = place
        self._id = place.name
        self._attributes = tuple(own.attributes)
        self._titles = titles
        self._single_names = SingleNames(item for item in self._attributes if _is_number(item))
        self._parameters = Parameters(run, self._shown_parameters())
        self.files = DataFiles(session, own.home, project_of(run), name_of(run), place.name)
        self._artifacts: list[Task] = []
        self.events: dict[str, Span] = {}
        self.parts: Parts = (0, 0, 0)

    @property
    def renamed(self) -> tuple[Loss, ...]:
        """What has another name there than it should."""
        return (*self._parameters.renamed, *self._titles.renamed, *self._single_names.renamed)

    def write_events(self, metrics: EventFile, *, is_over: bool = True) -> None:
        """All but points, which are there: plots, samples, what was printed. Closes the file.

        In a run that is not over a printed line waits for its end.
        """
        log = EventFile(self._session / LOG_FILE, self._id)
        try:
            points = metrics.written
            metrics.add_all(SCALAR, self._singles())
            singles = metrics.written
            for batch in self._staged.batches("histograms"):
                metrics.add_all(PLOT, self._histograms(batch))
            self.parts = (points, singles - points, metrics.written - singles)
            for batch in self._staged.batches("media"):
                for kind, event in self._media(batch):
                    metrics.add(kind, event)
            log.add_all(LOG, self._printed(is_over=is_over))
        finally:
            metrics.close()
            log.close()
        (self._session / METRICS_FILE).touch()
        self.events = metrics.spans | log.spans

    def write_task(self, uid: Uid, bundle: str | None = None) -> None:
        """The task, last of all; `bundle` is the key of our own copy among the data."""
        task = task_of(self._run, uid, self._id, str(self._place), self._parameters)
        for file in self._staged.files():
            if file.role == "requirements" and not task["script"]["requirements"]:
                task["script"]["requirements"] = self._packages(file.staged)
            self._add_artifact(file.path, file.role, file.staged)
        for artifact in self._staged.artifacts():
            name = f"{artifact.name}:{artifact.version}" if artifact.version else artifact.name
            for path, staged in artifact.members:
                self._add_artifact(f"{name}/{path}", "custom", staged)
        if bundle is not None:
            self._list_artifact("runferry", "archive", bundle)
        task["execution"]["artifacts"] = self._artifacts
        (self._session / TASK_FILE).write_text(task_text(task), encoding="utf-8")

    # --- values

    def _shown_parameters(self) -> Iterator[Attribute]:
        return (item for item in self._attributes if not _is_number(item))

    def _singles(self) -> Iterator[Event]:
        """Numbers of the summary, as of the run's end."""
        run = self._run
        times = (run.ended_ns, run.started_ns, run.created_ns)
        time_ns = next((time for time in times if time is not None), None)
        at = {} if time_ns is None else {"timestamp": time_ns // 1_000_000}
        for item, name in self._single_names.items:
            head = {"metric": SINGLE_METRIC, "variant": name}
            yield {**head, **at, "iter": SINGLE_ITERATION, "value": item.value}

    # --- rows

    def _histograms(self, batch: pa.RecordBatch) -> Iterator[Event]:
        for row in _rows(batch, ["edges", "counts"]):
            edges, counts = row["edges"] or [], row["counts"] or []
            centres = [(a + b) / 2 for a, b in pairwise(edges)]
            bars = {"type": "bar", "x": _shown(centres[: len(counts)]), "y": _shown(counts)}
            plot = {"data": [bars], "layout": {"title": row["key"], "bargap": 0}}
            yield self._event(row) | {"plot_str": json.dumps(plot, allow_nan=False)}

    def _media(self, batch: pa.RecordBatch) -> Iterator[tuple[str, Event]]:
        for row in _rows(batch, ["media_type", "file"]):
            if row["file"] is None:
                continue
            event, plot = self._event(row), None
            if row["media_type"] == "plot":
                plot = self._plot(row["file"])
            if plot is not None:
                yield PLOT, event | {"plot_str": plot}
                continue
            title = (event["metric"], event["variant"])
            key = self.files.sample(title, max(event["iter"], 0), row["file"])
            yield SAMPLE, event | {"key": key, "url": f"{self._place}/{DATA}/{key}"}

    def _plot(self, staged: str) -> str | None:
        """A plot as JSON of plotly; None where it is none."""
        path = self._staged.home.joinpath(*staged.split("/"))
        if path.stat().st_size > _PLOT_AT_MOST:
            return None
        try:
            text = path.read_text(encoding="utf-8")
            found = parse_json(text)
        except ValueError:
            return None
        if not isinstance(found, dict) or "data" not in found:
            return None
        if any(word in text for word in NO_NUMBERS):  # which a browser's parser refuses
            return json.dumps(finite(found), ensure_ascii=False, allow_nan=False)
        return text

    def _event(self, row: dict[str, Any]) -> Event:
        metric, variant = self._titles.of(row["key"])
        step = row["seq"] if row["step"] is None else row["step"]
        event: Event = {"metric": metric, "variant": variant, "iter": step}
        if row["time"] is not None:
            event["timestamp"] = row["time"] // 1000
        return event

    def _printed(self, *, is_over: bool) -> Iterator[Event]:
        worker = self._run.host or _WORKER
        for batch in self._staged.printed(None if is_over else Printed("ended")):
            for row in _rows(batch, ["line", "stream"], address=("time",)):
                level = "error" if row["stream"] == "stderr" else "info"
                event: Event = {"level": level, "worker": worker, "msg": row["line"].rstrip("\n")}
                if row["time"] is not None:
                    event["timestamp"] = row["time"] // 1000
                yield event

    # --- files

    def _packages(self, staged: str) -> Task:
        path = self._staged.home.joinpath(*staged.split("/"))
        if path.stat().st_size > _PACKAGES_AT_MOST:
            return {}
        return {"pip": path.read_text(encoding="utf-8", errors="replace")}

    def _add_artifact(self, key: str, kind: str, staged: str) -> None:
        self._list_artifact(key, kind, self.files.artifact(key, staged))

    def _list_artifact(self, key: str, kind: str, place: str) -> None:
        size = self._session.joinpath(DATA, *place.split("/")).stat().st_size
        uri = f"{self._place}/{DATA}/{place}"
        said = {"key": key, "type": kind, "mode": "output", "uri": uri, "content_size": size}
        self._artifacts.append(said)


def _is_number(item: Attribute) -> bool:
    """Whether a value of the summary is a finite number, which ClearML shows by itself."""
    is_number = isinstance(item.value, (int, float)) and not isinstance(item.value, bool)
    return item.role == "summary" and is_number and abs(item.value) < 2**63  # type: ignore[arg-type]


def _shown(numbers: list[float]) -> list[float | None]:
    """Numbers of a plot, which a browser parses: what JSON has no number for is a gap."""
    return [number if math.isfinite(number) else None for number in numbers]


def _rows(
    batch: pa.RecordBatch,
    names: list[str],
    address: tuple[str, ...] = ("key", "step", "time", "seq"),
) -> Iterator[dict[str, Any]]:
    """Rows as mappings, with their times in µs."""
    chosen = batch.select([*address, *names])
    at = chosen.schema.get_field_index("time")
    yield from chosen.set_column(at, "time", chosen.column(at).view(pa.int64())).to_pylist()
