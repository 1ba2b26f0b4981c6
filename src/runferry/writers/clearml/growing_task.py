"""The task of a run that grows, on its server: what is told of it, its files and its events."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from runferry.dialects.clearml.names import DATA, LOG, SAMPLE, Event, Task
from runferry.dialects.clearml.service import Service
from runferry.errors import Declined
from runferry.redact import without_credentials
from runferry.writers.clearml.authored_events import batches_of
from runferry.writers.clearml.grown import Counts, GrowingEvents, Grown
from runferry.writers.clearml.service import SEALED
from runferry.writers.clearml.uploading import upload

RUNNING: Final = "in_progress"
_FACTS: Final = (
    "name", "type", "comment", "tags", "hyperparams", "configuration", "script",
)  # fmt: skip


class GrowingTask:
    """Brings one task up to date. Everything but lines may be sent twice, and changes nothing."""

    def __init__(self, service: Service, home: Path, task: str) -> None:
        """`home` is a folder to work in."""
        self.id = task
        self._service = service
        self._home = home
        self._found: Task = service.ask("tasks.get_by_id", task=task)["task"]
        tags = [str(tag) for tag in self._found.get("system_tags") or []]
        self._tags = [tag for tag in tags if Grown.among([tag]) is None]
        self._before = Grown.among(tags) or Grown.unknown()

    def start(self) -> None:
        """It is running, also where it had ended, or the server took it for dead."""
        if SEALED in self._tags:
            self.note(self._before)
        if self._found.get("status") != RUNNING:
            self._service.ask("tasks.started", task=self.id, force=True)

    def end(self, call: str, why: str = "") -> None:
        """It is not running any more."""
        self._service.ask(call, task=self.id, force=True, status_reason=why, status_message=why)

    def note(self, grown: Grown, *others: str) -> None:
        """Say on the task what it has."""
        kept = [tag for tag in self._tags if tag != SEALED]
        tags = [*kept, grown.tag, *others]
        self._service.ask("tasks.edit", task=self.id, system_tags=tags, force=True)

    def tell(self, authored: Task) -> str:
        """Name, tags, parameters …, where the run says others than before; a hash of them."""
        told = {name: authored[name] for name in _FACTS}
        text = json.dumps(told, sort_keys=True).encode()
        hashed = hashlib.blake2b(text, digest_size=8).hexdigest()
        if hashed != self._before.facts:
            self._service.ask("tasks.edit", task=self.id, force=True, **told)
        return hashed

    def send(self, data: Path, authored: Task, events: GrowingEvents, *, is_last: bool) -> None:
        """Files first, which events name; values by themselves at the end. Raises Declined."""
        points, histograms, media, lines = self._there(events)
        self._send_files(data, authored, events.media.events(media))
        self._send_events(events.points.events(points))
        self._send_events(events.histograms.events(histograms))
        self._send_events(map(self._with_url, events.media.events(media)))
        self._send_events(events.lines.events(lines), is_harmless=False)
        if is_last:
            self._send_events(events.singles.events())

    def _there(self, events: GrowingEvents) -> Counts:
        """How many of each there are; none, after what was there is taken away, where they are no
        beginning of what there is now."""
        points, histograms, media, lines = self._before.counts
        lines_there = self._service.count(self.id, LOG)
        if lines_there >= lines and self._before.begins(events):
            return points, histograms, media, lines_there
        self._service.ask("events.delete_for_task", task=self.id)
        return 0, 0, 0, 0

    def _send_events(self, events: Iterator[bytes], *, is_harmless: bool = True) -> None:
        for batch in batches_of(events):
            told = self._service.send(batch, is_harmless=is_harmless)
            if told.get("errors"):
                raise Declined(
                    f"the server took {told.get('added')} of {len(batch)} events: "
                    f"{without_credentials(str(told.get('errors_info')))}",
                    where=f"{self._service.where}: task {self.id}",
                    hint="look at the server's log",
                )

    # --- files

    def _send_files(self, data: Path, authored: Task, media: Iterator[bytes]) -> None:
        """Those of new samples, and artifacts that are new or have changed."""
        samples = [path for path in map(_sample_of, media) if path is not None]
        there = {
            item["key"]: (item.get("uri"), item.get("hash"))
            for item in (self._found.get("execution") or {}).get("artifacts") or []
        }
        artifacts: list[Task] = []
        for item in authored["execution"]["artifacts"]:
            place = _place_of(item, self.id)
            said = {**item, "uri": self._url(place), "hash": _sha256(data / place)}
            if there.get(item["key"]) != (said["uri"], said["hash"]):
                artifacts.append(said)
                samples.append(place)
        if samples:
            self._upload({data / place: self._url(place) for place in samples})
        if artifacts:
            self._service.ask(
                "tasks.add_or_update_artifacts", task=self.id, artifacts=artifacts, force=True
            )

    def _upload(self, urls: dict[Path, str]) -> None:
        upload(urls, self._service.account, self._home)
        gone = sum(
            self._service.is_ours(url) and self._service.size_of(url) != path.stat().st_size
            for path, url in urls.items()
        )
        if gone:
            raise Declined(
                f"{gone:,} of {len(urls):,} files did not arrive",
                where=f"{self._service.where}: task {self.id}",
                hint="look at the server's log",
            )

    def _url(self, place: str) -> str:
        return f"{self._service.account.files_url}/{place}"

    def _with_url(self, text: bytes) -> bytes:
        """An event of a medium as the server gets it; others as they are."""
        place = _sample_of(text)
        if place is None:
            return text
        return json.dumps({**json.loads(text), "url": self._url(place)}).encode()


def _sample_of(text: bytes) -> str | None:
    """The place of a sample's file below the data; None for what has none."""
    event: Event = json.loads(text)
    return str(event["key"]) if event["type"] == SAMPLE else None


def _place_of(artifact: Task, task: str) -> str:
    return str(artifact["uri"]).removeprefix(f"{task}/{DATA}/")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
