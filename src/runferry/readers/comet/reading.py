"""The messages of an offline experiment, in the order in which they were logged."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from runferry import chunks
from runferry.dialects.json_trees import JsonNotes, parse_json
from runferry.dialects.printed import Printed
from runferry.dialects.times import time_ns_of
from runferry.losses import Fate, Loss, LossLedger
from runferry.model import Address, Blob, KeyPath, MediaItem, Run, RunKey, Tree
from runferry.paths import spelled
from runferry.readers.comet.bundles import strangers, unbundled
from runferry.readers.comet.facts import Facts, experiment_attributes, experiment_header
from runferry.readers.comet.members import EXPERIMENT, MESSAGES, Members
from runferry.readers.comet.message_lines import Message, MessageLines
from runferry.readers.comet.uploads import TEXT_AT_MOST, Upload, Uploads
from runferry.readers.run_folders.documents import noted
from runferry.readers.run_folders.logged_rows import LoggedRows, address, step_of
from runferry.tables import dumps

_FLOATS: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_EPOCH: Final = ("comet", "epoch")
_SYSTEM: Final = "sys."
_MEDIA_AT_MOST: Final = 512


def stated_of(members: Members, notes: JsonNotes | None = None) -> dict[str, Tree]:
    """What `experiment.json` says. Raises ValueError for one that is damaged."""
    stream = members.open(EXPERIMENT)
    if stream is None:
        return {}
    with stream:
        found = parse_json(stream.read(TEXT_AT_MOST).decode(), notes)
    if not isinstance(found, dict):
        raise ValueError("no mapping")
    return found


@dataclass
class Reading:
    """One pass over the messages."""

    key: RunKey
    path: Path
    members: Members
    facts: Facts = field(default_factory=Facts)
    rows: LoggedRows = field(default_factory=LoggedRows)
    printed: Printed = field(default_factory=Printed)
    losses: LossLedger = field(default_factory=LossLedger)
    media: list[MediaItem] = field(default_factory=list)
    uploads: Uploads = field(init=False)
    lines: MessageLines = field(init=False)
    stated: dict[str, Tree] = field(default_factory=dict)
    epoch: Tree = None

    def __post_init__(self) -> None:
        self.uploads = Uploads(self.members)
        self.lines = MessageLines(self.members, self.losses)
        notes = JsonNotes()
        try:
            self.stated = stated_of(self.members, notes)
        except (ValueError, OSError, EOFError) as error:
            self._lost("unreadable-file", Fate.DROPPED, EXPERIMENT, str(error))
        self.losses.extend(noted(notes, EXPERIMENT))

    def header(self) -> Run:
        """What is known of the run by now."""
        run = self.facts.header(experiment_header(Run(self.key), self.stated))
        is_whole = not (self.members.is_cut or self.lines.is_damaged)
        return replace(run, complete=run.complete and is_whole)

    def messages(self, at_most: int | None = None) -> Iterator[chunks.Chunk]:
        """What each message says."""
        for found in self.lines.read():
            if isinstance(found, chunks.Raw):
                yield found
            elif at_most is not None and found.number >= at_most:
                return
            else:
                yield from self._message(found)

    def _message(self, message: Message) -> Iterator[chunks.Chunk]:
        match message.said:
            case {"type": str(kind), "payload": dict(payload)}:
                if (taken := self._taken(kind, payload, message.number)) is not None:
                    yield from taken
                    return
        yield chunks.Raw("comet message", "of no known type", message.line, message.number)
        self._lost("unknown-message", Fate.REENCODED, MESSAGES, "kept as raw records")

    def _taken(
        self, kind: str, payload: dict[str, Tree], seq: int
    ) -> Iterator[chunks.Chunk] | None:
        """What a message becomes; None for one that nobody knows."""
        if kind == "metric_msg":
            return self._metric(payload, seq)
        if kind == "standard_output":
            text, time = payload.get("output"), payload.get("local_timestamp")
            if not isinstance(text, str):
                return None
            stream = "stderr" if payload.get("stderr") else "stdout"
            return self.printed.add(text, self._time_ns(time), stream)
        if kind in ("file_upload", "remote_file"):
            upload = Upload.of(payload)
            return None if upload is None else self._upload(upload, seq)
        if kind in ("html", "htmlOverride"):
            html = payload.get("html", payload.get("htmlOverride"))
            return self._html(html, seq) if isinstance(html, str) else None
        if kind == "ws_msg":
            return self._bundle(payload, seq)
        return iter(()) if self.facts.take(kind, payload) else None

    def _bundle(self, payload: dict[str, Tree], seq: int) -> Iterator[chunks.Chunk] | None:
        """A message that has several things at once."""
        messages, strange = unbundled(payload), strangers(payload)
        taken = [self._taken(kind, held, seq) for kind, held in messages or ()]
        known = [one for one in taken if one is not None]
        if not taken or len(known) < len(taken):
            return None
        if strange:
            content = dumps(strange).encode()
            known.append(iter((chunks.Raw("comet message", "unknown fields", content, seq),)))
        return (chunk for one in known for chunk in one)

    def _metric(self, payload: dict[str, Tree], seq: int) -> Iterator[chunks.Chunk] | None:
        metric = payload.get("metric")
        if not isinstance(metric, dict) or "metricValue" not in metric:
            return None
        name, value = metric.get("metricName"), metric["metricValue"]
        if not isinstance(name, str):
            return None
        at = self._address(seq, metric.get("step"), payload.get("local_timestamp"))
        context = payload.get("context")
        if not isinstance(context, str | None):
            return None
        path: KeyPath = (context, name) if context else (name,)
        if isinstance(value, str):
            value = _FLOATS.get(value, value)
        values = [(path, value), *self._new_epoch(metric.get("epoch"))]
        is_system = name.startswith(_SYSTEM)
        return self.rows.add(at, values, "system" if is_system else "user")

    def _new_epoch(self, epoch: Tree) -> list[tuple[KeyPath, Tree]]:
        """The epoch, where it is another one than of the rows before."""
        if epoch is None or epoch == self.epoch:
            return []
        self.epoch = epoch
        return [(_EPOCH, epoch)]

    def _address(self, seq: int, step: Tree, time_ms: Tree) -> Address:
        where = None if step is None else step_of(step)
        if step is not None and where is None:
            why = "a step that is no number of at most six places"
            self._lost("odd-step", Fate.DROPPED, MESSAGES, why)
        return address(seq, where, self._time_ns(time_ms))

    def _time_ns(self, time_ms: Tree) -> int | None:
        time_ns = time_ns_of(time_ms * 1_000_000) if isinstance(time_ms, int) else None
        if time_ns is None and time_ms is not None:
            self._lost("odd-time", Fate.DROPPED, MESSAGES, "a time that is no whole millisecond")
        return time_ns

    def _html(self, html: str, seq: int) -> Iterator[chunks.Chunk]:
        key, facts = self.rows.declare(("html",), "media")
        yield from facts
        blob = Blob.from_bytes(html.encode("utf-8", "replace"), "text/html")
        yield chunks.Media((MediaItem(key, Address(seq), "html", blob),))

    def _upload(self, upload: Upload, seq: int) -> Iterator[chunks.Chunk]:
        at = self._address(seq, upload.step, upload.time_ms)
        if upload.is_text and (text := self._text(upload.path)) is not None:
            yield from self.rows.add(at, [(upload.key, text), *self._new_epoch(upload.epoch)])
            if said := upload.beside():  # of which a row of texts has no place
                yield chunks.Raw("comet message", "text", dumps(said).encode(), seq)
        elif upload.is_media:
            key, facts = self.rows.declare(upload.key, "media")
            yield from facts
            self.media.append(self.uploads.item(upload, key, at))
            if len(self.media) >= _MEDIA_AT_MOST:
                yield from self._drain_media()
        else:
            self.uploads.keep(upload)

    def _text(self, name: str) -> str | None:
        """A text's bytes; None for one that is gone or longer than anybody reads."""
        stream = self.members.open(name)
        if stream is None:
            return None
        with stream:
            content = stream.read(TEXT_AT_MOST + 1)
        try:
            return content.decode() if len(content) <= TEXT_AT_MOST else None
        except UnicodeDecodeError:
            return None  # it stays a file

    def _drain_media(self) -> Iterator[chunks.Chunk]:
        if self.media:
            yield chunks.Media(tuple(self.media))
            self.media = []

    def ending(self) -> Iterator[chunks.Chunk]:
        """All that was collected."""
        yield from self.rows.drain()
        yield from self._drain_media()
        yield from self.printed.drain()
        told = (
            *self.facts.attributes(),
            *experiment_attributes(self.stated),
            *self.uploads.attributes(),
        )
        if told:
            yield chunks.Attributes(told, is_whole=True)
        yield from self.uploads.belongings()
        if self.members.is_cut:
            why = "the archive ends before the list of its members; what comes before is read"
            self._lost("cut-archive", Fate.DROPPED, spelled(self.path.name), why)
        for loss in (*self.losses, *self.facts.losses, *noted(self.lines.notes, MESSAGES)):
            yield chunks.Lost(loss)

    def _lost(self, code: str, fate: Fate, where: str, why: str) -> None:
        self.losses.add(Loss(code, fate, where, 1, why))
