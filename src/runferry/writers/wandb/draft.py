"""One run while it is written: its log from beginning to end, and its files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from runferry import _native
from runferry.chunks import (
    Artifact,
    Attributes,
    Chunk,
    Console,
    File,
    Header,
    Histograms,
    Media,
    Points,
    SeriesFacts,
    Texts,
)
from runferry.dialects.chunk_trees import chunk_tree
from runferry.dialects.wandb.own_files import (
    ADDRESSES,
    FOOTER,
    MARK,
    SEAL,
    SIDE_FILE,
    Mark,
    at_place,
    own_record,
    side_text,
)
from runferry.durable import sync_tree
from runferry.errors import Refused
from runferry.losses import Loss
from runferry.model import Attribute, Blob, MediaItem, Run, Series, Tree, Uid
from runferry.tables import CONSOLE, POINTS, TEXTS, conform
from runferry.writers.wandb import artifacts, media, messages
from runferry.writers.wandb.addresses import Addresses
from runferry.writers.wandb.blob_files import BlobFiles, StoredFile
from runferry.writers.wandb.histograms import shown_histograms
from runferry.writers.wandb.latest import LatestValues
from runferry.writers.wandb.shown_json import config_json, history_json

_LOG: Final = "log.part"
_LONGEST: Final = 256 << 20
"""Bytes of a record. The native reader takes a longer one for damage (`rust/src/leveldb.rs`)."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run is to lie, and its id in W&B."""

    folder: Path
    run_id: str


class Draft:
    """One attempt to write a run, in a new folder of its own."""

    def __init__(
        self, home: Path, place: Place, run: Run, uid: Uid, tags: tuple[str, ...] = ()
    ) -> None:
        """`tags` are shown besides the run's own."""
        home.mkdir(parents=True)
        self._tags = tags
        self.home = home
        self.place = place
        self.uid = uid
        self._run = run
        self._log = _native.WandbLog(home / _LOG, started_ns=messages.started_ns(run))
        self._blobs = BlobFiles(home)
        self._config, self._summary = Addresses(), Addresses()
        self._addresses = {"user": Addresses(), "system": Addresses()}
        self._attributes: tuple[Attribute, ...] = ()
        self._latest = LatestValues()
        self._series: dict[str, Series] = {}
        self._listed: set[str] = set()
        self._is_begun = False
        self._log.record(messages.HEADER, messages.header())
        self._own(MARK, Mark(uid, run).tree())

    def put(self, chunk: Chunk) -> None:
        """Add one chunk."""
        if not self._is_begun and not isinstance(chunk, (Header, Attributes)):
            self._begin()
        try:
            self._put(chunk)
        except OverflowError as error:
            raise Refused(
                f"a time beyond the years 1677 to 2262: {error} µs since 1970",
                where=str(self.place.folder),
                hint="the run is fine in an archive; look for the row with `runferry sql`",
            ) from error

    def _put(self, chunk: Chunk) -> None:
        match chunk:
            case Points(batch):
                rows = conform(batch, POINTS)
                self._latest.look_at(rows)
                self._log.points(rows)
            case Texts(batch):
                self._log.texts(conform(batch, TEXTS))
            case Histograms(batch):
                self._log.histograms(shown_histograms(batch))
            case Console(batch):
                self._log.console(conform(batch, CONSOLE))
            case Media(items):
                self._put_media(items)
            case SeriesFacts(items):
                self._declare(items)
            case Attributes(items):
                self._put_attributes(chunk, items)
            case File(path, _, blob):
                stored = self._blobs.file(path, blob)
                self._keep(chunk, lambda *_: at_place(blob, stored.place if stored else None))
                self._list(stored)
            case Artifact():
                self._put_artifact(chunk)
            case _:
                if isinstance(chunk, Header):
                    self._run = chunk.run
                self._keep(chunk, lambda *_: None)

    # --- records ----------------------------------------------------------------------------------

    def _record(self, number: int, message: bytes) -> None:
        if len(message) > _LONGEST - 64:
            raise Refused(
                f"a record of {len(message):,} bytes is more than a .wandb file can hold",
                where=str(self.place.folder),
                hint="push this run into another kind of destination: parquet:FOLDER",
            )
        self._log.record(number, message)

    def _own(self, kind: str, tree: Tree) -> None:
        self._record(FOOTER, own_record(kind, tree))

    def _keep(self, chunk: Chunk, keep: Callable[[Blob, str], Tree]) -> None:
        self._own(*chunk_tree(chunk, keep))

    def _begin(self) -> None:
        """The run, once its first configuration is known: W&B's viewer looks for it there only."""
        self._is_begun = True
        config = self._items(self._config, "config", config_json)
        self._record(messages.RUN, messages.run(self._run, self.place.run_id, config, self._tags))
        environment = messages.environment(self._run, self._of_role("environment"))
        if environment:
            self._record(messages.ENVIRONMENT, environment)

    def _of_role(self, role: str) -> list[Attribute]:
        return [item for item in self._attributes if item.role == role]

    def _items(
        self, addresses: Addresses, role: str, spell: Callable[[Tree], str]
    ) -> Iterator[messages.Item]:
        for item in self._of_role(role):
            name = item.name if item.name is not None else ".".join(item.path)
            yield addresses.of(name, item.path), spell(item.value)

    def _put_attributes(self, chunk: Attributes, items: Iterable[Attribute]) -> None:
        known = {} if chunk.is_whole else {(it.role, it.path): it for it in self._attributes}
        self._attributes = tuple((known | {(it.role, it.path): it for it in items}).values())
        plain = replace(chunk, items=tuple(replace(item, name=None) for item in chunk.items))
        self._keep(plain, lambda *_: None)
        if self._is_begun:
            config = messages.config(self._items(self._config, "config", config_json))
            self._record(messages.CONFIG, config)

    def _declare(self, items: tuple[Series, ...]) -> None:
        places: list[Tree] = []
        for series in items:
            self._series[series.key] = series
            address = self._addresses[series.stream].of(series.key, series.path)
            if series.stream == "system":  # which W&B knows by one name
                address = (series.key,)
            self._log.declare(series.key, list(address), series.stream == "system")
            places.append([series.stream, list(address), series.key])
        self._own(ADDRESSES, places)
        self._keep(SeriesFacts(items), lambda *_: None)
        for series in items:
            if series.stream == "user":
                self._define(series)

    def _define(self, series: Series) -> None:
        user = self._addresses["user"]
        axis = None if series.x_axis is None else user.get(series.x_axis) or (series.x_axis,)
        message = messages.metric(series, user.of(series.key, series.path), axis)
        if message is not None:
            self._record(messages.METRIC, message)

    # --- things with bytes ------------------------------------------------------------------------

    def _put_media(self, items: tuple[MediaItem, ...]) -> None:
        stored = media.store(items, self._blobs)
        places = iter([one.file.place if one.file else None for one in stored])
        self._keep(Media(items), lambda blob, _: at_place(blob, next(places)))
        shown = media.shown_media(stored)
        if shown is None:
            return
        batch, fields = shown
        for key, name in fields:
            series = self._series[key]
            address = self._addresses[series.stream].of(key, series.path)
            self._log.declare(media.field_name(key, name), [*address, name], False)
        self._log.media(batch)
        for one in stored:
            self._list(one.file, is_media=True)

    def _list(self, stored: StoredFile | None, *, is_media: bool = False) -> None:
        path = None if stored is None else stored.below_files
        if path is not None and path not in self._listed:
            self._listed.add(path)
            self._record(messages.FILES, messages.ListedFile(path, is_media).message())

    def _put_artifact(self, artifact: Artifact) -> None:
        entries = [
            artifacts.StoredEntry(entry, self._blobs.other(entry.blob))
            for entry in artifact.entries
        ]
        places = iter([one.file.place if one.file else None for one in entries])
        self._keep(artifact, lambda blob, _: at_place(blob, next(places)))
        if artifact.relation == "used":
            self._record(artifacts.USED, artifacts.used(artifact))
            return
        run_id, folder = self.place.run_id, self.place.folder
        message = artifacts.produced(artifact, entries, run_id, self.uid, folder)
        self._record(artifacts.ARTIFACT, message)

    # --- the end ----------------------------------------------------------------------------------

    def complete(self, run: Run) -> None:
        """Write what is left, and `runferry.json` once all else is there."""
        if not self._is_begun:
            self._begin()
        origin = run.origin_uid or self._run.origin_uid
        if run != self._run:
            self._record(messages.RUN, messages.run(run, self.place.run_id, (), self._tags))
        self._keep(Header(replace(run, origin_uid=origin)), lambda *_: None)
        self._log.flush()
        summary = messages.summary(self._summary_items())
        if summary:
            self._record(messages.SUMMARY, summary)
        ending = messages.ending(run)
        if ending is not None:
            self._record(messages.EXIT, ending)
        self._own(SEAL, {})
        self._log.flush()
        (self.home / "files").mkdir(exist_ok=True)
        (self.home / _LOG).rename(self.home / f"run-{self.place.run_id}.wandb")
        text = side_text(self.uid, self.place.run_id, run.project)
        (self.home / SIDE_FILE).write_text(text, encoding="utf-8")
        sync_tree(self.home)

    def _summary_items(self) -> Iterator[messages.Item]:
        """The source's summary; of a source that has none, the last value of each series."""
        if self._of_role("summary"):
            yield from self._items(self._summary, "summary", history_json)
            return
        user = self._addresses["user"]
        for key, value in self._latest:
            if self._series[key].stream == "user":
                yield user.of(key, self._series[key].path), history_json(value)

    @property
    def history_rows(self) -> int:
        """How many rows of history W&B is shown."""
        return self._log.counts[0]

    @property
    def is_there(self) -> bool:
        """Whether nobody took this attempt away."""
        return self.home.exists()

    def told(self) -> tuple[Loss, ...]:
        """Nothing that the plan has not said."""
        return ()

    def close(self) -> None:
        """Let go of the log; what was written stays."""
        del self._log
