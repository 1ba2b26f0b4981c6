"""One run's event file while it is written: chunk after chunk behind what stands there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import pyarrow.compute as pc

from runferry import _native, settings
from runferry.chunks import (
    Attributes,
    Chunk,
    Document,
    Header,
    Histograms,
    Lost,
    Media,
    Points,
    Raw,
    Texts,
)
from runferry.dialects.chunk_trees import chunk_tree
from runferry.dialects.tensorboard.names import END_TAG, TAG_PREFIX
from runferry.dialects.tensorboard.own_files import (
    CONFIG_TAG,
    Seal,
    at_file,
    attributes_in,
    digest_of,
    header_digest,
    raw_at_event,
    seal_event,
    spelled,
)
from runferry.dialects.tensorboard.restated import called
from runferry.dialects.tensorboard.wire import LONGEST_EVENT, record_event
from runferry.durable import sync
from runferry.errors import Conflict, Refused, RunMissing
from runferry.losses import Loss
from runferry.model import Attribute, Blob, Run, Tree
from runferry.tables import HISTOGRAMS, POINTS, TEXTS, conform
from runferry.writers.disk import disk_errors
from runferry.writers.tensorboard.blob_files import BlobFiles
from runferry.writers.tensorboard.hparams import SESSION_END, end_event, seconds
from runferry.writers.tensorboard.replacement import DRAFT
from runferry.writers.tensorboard.shown import ShownMedia
from runferry.writers.tensorboard.shown_facts import (
    show_config,
    show_document,
    show_raw,
    show_tags,
)
from runferry.writers.tensorboard.standing import Standing
from runferry.writers.tensorboard.unshown import Unshown

_SYNC_EVERY: Final = 4 << 20
"""Bytes. What a loss of power takes away is torn, and sent again: `Standing` checks every byte."""


class Target:
    """Appends chunks. A file that another process has added to is looked through again."""

    def __init__(self, path: Path, names: Iterable[Path] = ()) -> None:
        """`names` are the folders that have to last for the file to be found."""
        self.path = path
        self._names = tuple(names)
        self._standing = Standing.of(path)
        self._size = path.stat().st_size
        self._synced = self._standing.offset
        self._run = self._standing.mark.run
        self._blobs = BlobFiles(path.parent)
        self._events: _native.EventWriter | None = None
        self._media: ShownMedia | None = None
        self._unshown = Unshown()

    @property
    def standing(self) -> Standing:
        """How far the file has come by now. Raises RunMissing."""
        try:
            size = self.path.stat().st_size
        except FileNotFoundError:
            raise RunMissing("the event file is gone", where=str(self.path)) from None
        if size != self._size:
            self._standing = Standing.of(self.path)
            self._size = size
            self._events = None
        return self._standing

    @property
    def is_draft(self) -> bool:
        """Whether this is not the run yet, but what will replace it."""
        return self.path.name == DRAFT

    @property
    def is_replaceable(self) -> bool:
        """Whether chunk 0 would be another one than stands there: the run is complete."""
        return not self.is_draft and self.standing.is_sealed and self.standing.chunks > 0

    def close(self) -> None:
        """Let go of the file: it gets another name, or goes."""
        self._events = self._media = None
        self._size = -1

    def append(self, number: int, chunk: Chunk) -> None:
        """One chunk and its end. Raises Conflict where another number would follow."""
        standing = self.standing
        if number != standing.chunks:
            raise Conflict(
                f"{standing.chunks} chunks are there, and chunk {number} was to be the next:"
                " another archive sends this run",
                where=str(self.path),
                hint=f"push from that one, or remove the run: rm -r '{self.path.parent}'",
            )
        with self._changing() as events:
            states = self._put(events, chunk)
            if standing.holds(states):  # nothing was written: the next end tells of this one too
                self._blobs.forget()
                self._standing = replace(self._standing, chunks=number + 1)
                return
            ended: dict[str, Tree] = {"chunk": number, **({"states": {**states}} if states else {})}
            events.event(self._record(END_TAG, spelled(ended)))
            self._blobs.settle()  # first: a record never names what a loss of power takes away
            events.flush()
            if events.offset - self._synced > _SYNC_EVERY:
                self._sync(events)
            self._standing.stated.update(states)
            self._standing = replace(
                self._standing, offset=events.offset, chunks=number + 1, is_sealed=False
            )

    def seal(self, run: Run) -> None:
        """The header, how the run ended, and the seal; nothing if just that stands there."""
        standing, digest = self.standing, header_digest(run)
        if standing.is_sealed and standing.seal is not None and standing.seal.header == digest:
            return
        seal = Seal(standing.chunks, digest)
        with self._changing() as events:
            self._blobs.clear()
            self._put(events, Header(run))
            ended = end_event(run)
            if ended is not None and events.tag(SESSION_END, "hparams")[1]:
                events.event(ended)
            events.event(seal_event(seal))
            events.flush()
            # at once: a seal that outlasts what it seals is not believed, as checksums tell
            self._sync(events, *self._names)
            self._standing = replace(
                self._standing,
                offset=events.offset,
                seal=seal,
                seal_end=events.offset,
                is_sealed=True,
            )

    def roll_back(self) -> None:
        """Take away what came since the last seal."""
        self._events = None
        with disk_errors(self.path):
            os.truncate(self.path, self.standing.seal_end)
            sync([self.path])

    def losses(self) -> Iterator[Loss]:
        """What is there, and TensorBoard does not show."""
        return self._unshown.losses()

    # --- writing ----------------------------------------------------------------------------------

    @contextmanager
    def _changing(self) -> Iterator[_native.EventWriter]:
        """The place to write to. What fails leaves a torn tail, which the next attempt cuts off."""
        if self._events is None:
            standing = self._standing
            with disk_errors(self.path):
                self._events = _native.EventWriter(
                    self.path,
                    offset=standing.offset,
                    tags=standing.tags,
                    doubles=settings.current().tensorboard_doubles,
                )
                if standing.attributes is not None:  # a sending goes on
                    show_tags(self._events, attributes_in(standing.attributes))
        try:
            with disk_errors(self.path):
                yield self._events
        except BaseException:
            self._size, self._events, self._media = -1, None, None
            raise
        self._size = self._events.offset

    def _sync(self, events: _native.EventWriter, *names: Path) -> None:
        sync([self.path, *names])
        self._synced = events.offset

    def _record(self, tag: str, content: bytes) -> bytes:
        event = record_event(tag, content, seconds=seconds(self._run.started_ns))
        self._check_length(len(event), tag)
        return event

    def _check_length(self, length: int, what: str) -> None:
        """Raises Refused for what no reader of ours would read back."""
        if length > LONGEST_EVENT:
            raise Refused(
                f"{what} of {length:,} bytes is more than an event can hold ({LONGEST_EVENT:,})",
                where=str(self.path),
                hint="push this run into another kind of destination: parquet:FOLDER",
            )

    def _put(self, events: _native.EventWriter, chunk: Chunk) -> dict[str, str]:
        """Writes a chunk, but for what stands there already; what it `states`, for `Standing`."""
        try:
            match chunk:
                case Points(batch):
                    rows = conform(batch, POINTS)
                    if not settings.current().tensorboard_doubles:
                        self._unshown.look_at(rows)
                    events.points(rows)
                case Texts(batch):
                    longest = pc.max(pc.binary_length(batch.column("text"))).as_py()
                    self._check_length(longest or 0, "a text")
                    events.texts(conform(batch, TEXTS))
                case Histograms(batch):
                    events.histograms(conform(batch, HISTOGRAMS))
                case Media(items):
                    if self._media is None or self._media.events is not events:
                        self._media = ShownMedia(events, self._blobs, self._unshown.media)
                    trees = self._media.write(items)
                    events.event(self._record(f"{TAG_PREFIX}media", spelled(trees)))
                case _:
                    return self._put_record(events, chunk)
        except OverflowError as error:
            raise Refused(
                f"a time beyond the years 1677 to 2262: {error} µs since 1970",
                where=str(self.path),
                hint="the run is fine in an archive; look for the row with `runferry sql`",
            ) from error
        return {}

    def _put_record(self, events: _native.EventWriter, chunk: Chunk) -> dict[str, str]:
        if isinstance(chunk, Header):
            self._run = chunk.run
        if isinstance(chunk, Attributes):
            self._show(events, chunk.items)
            chunk = replace(chunk, items=tuple(replace(item, name=None) for item in chunk.items))
        if isinstance(chunk, Document):
            show_document(events, chunk)
        kind, tree = chunk_tree(chunk, self._keep)
        if isinstance(chunk, Raw) and (at := show_raw(events, self._run, chunk)) is not None:
            tree = raw_at_event(chunk, at)
        name = None if isinstance(chunk, Lost) else called(chunk)  # what is gone is not stated
        states = {} if name is None else {name: digest_of([kind, tree]).decode()}
        if not self._standing.holds(states):
            events.event(self._record(f"{TAG_PREFIX}{kind}", spelled(tree)))
        return states

    def _keep(self, blob: Blob, wished: str) -> Tree:
        return at_file(blob, self._blobs.put(blob))

    def _show(self, events: _native.EventWriter, attributes: tuple[Attribute, ...]) -> None:
        """Configuration in HPARAMS; what was said of tags in their metadata."""
        show_tags(events, attributes)
        config: list[Tree] = [
            [list(item.path), item.value] for item in attributes if item.role == "config"
        ]
        if not config:
            return
        digest = digest_of(config)
        if show_config(events, self._run, attributes):
            events.event(self._record(CONFIG_TAG, digest))
            self._standing = replace(self._standing, config=digest)
        elif digest != self._standing.config:
            self._unshown.has_other_config = True
