"""One run being written: its artifact folder, its series, and the parts of its bundle."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeVar, cast

from runferry.chunks import (
    Artifact,
    Checkpoint,
    Chunk,
    Console,
    Document,
    File,
    Histograms,
    Lost,
    Media,
    Raw,
    Texts,
)
from runferry.dialects import codec
from runferry.dialects.mlflow.artifacts import ArtifactFolder, Entry
from runferry.dialects.mlflow.attributes import is_tag, tag_name
from runferry.dialects.mlflow.bundle import (
    Part,
    all_parts,
    batch_bytes,
    kept_blob,
    part_path,
    seal_path,
    seal_tree,
    seals_of,
    stored_paths,
    tree_bytes,
)
from runferry.dialects.mlflow.header import as_native as as_native_run
from runferry.dialects.mlflow.paths import ARTIFACTS, BUNDLE, safe_name, safe_path
from runferry.dialects.mlflow.points import (
    as_native,
    native_key,
)
from runferry.dialects.mlflow.tags import IMAGES_TAG, TABLES_TAG
from runferry.model import Blob, MediaItem, Series, Tree
from runferry.ports import RemoteId
from runferry.tables import CONSOLE, HISTOGRAMS, TEXTS, conform
from runferry.writers.mlflow.backend import Batch
from runferry.writers.mlflow.left_parts import LeftParts
from runferry.writers.mlflow.media import media_path, shown_table_path, small_image_path
from runferry.writers.mlflow.shown_tables import is_loadable, split_form, tables_tag
from runferry.writers.mlflow.superseded import headers_in, superseded

if TYPE_CHECKING:
    import pyarrow as pa

    from runferry.dialects.mlflow.points import NativePoints


SEAL_NUMBER: Final = 99_999_999
"""The headers that seals state come after that of any chunk."""

_RESTATED: Final = (
    "header",
    "attributes",
    "series",
    "file",
    "artifact",
    "document",
    "lost",
    "registered",
)
_Decoded = TypeVar("_Decoded")

_NONE: Final[frozenset[str]] = frozenset()


class Target:
    """Knows from the folder how far an earlier process came; `is_new` saves the look."""

    def __init__(self, folder: ArtifactFolder, run_id: RemoteId, *, is_new: bool = False) -> None:
        self._folder = folder
        self._left = LeftParts(folder, run_id)
        found = [] if is_new else list(folder.walk(BUNDLE))
        self._parts = {part.entry.path: part for part in all_parts(found)}
        self._seals = seals_of(found)
        self._generation = max((part.generation for part in self._parts.values()), default=0)
        self._sealed: frozenset[str] | None = None if self._generation in self._seals else _NONE
        self._names: dict[str, str] | None = {} if is_new else None
        self._tables: list[str] | None = [] if is_new else None

    def begin(self, number: int) -> None:
        """Called with each chunk's number: the first one again means that all of it comes again."""
        is_begun = any(
            part.generation == self._generation and 0 < part.number < SEAL_NUMBER
            for part in self._parts.values()
        )
        if number == 0 and (is_begun or self._generation in self._seals):
            self._generation += 1
            self._sealed = _NONE

    # --- parts ------------------------------------------------------------------------------------

    def put_tree(self, kind: str, number: int, tree: Tree) -> None:
        """One JSON part."""
        self._put(kind, number, "json", tree_bytes(tree))

    def put_batch(self, kind: str, number: int, batch: pa.RecordBatch) -> None:
        """One Parquet part."""
        self._put(kind, number, "parquet", batch_bytes(batch))

    def _put(self, kind: str, number: int, suffix: str, content: bytes) -> None:
        path = part_path(kind, self._generation, number, suffix)
        self._folder.replace(path, io.BytesIO(content))
        self._parts[path] = Part(kind, self._generation, number, Entry(path, len(content)))

    def seal(self, header: Tree, registered: list[Tree]) -> None:
        """Name all parts of this sending: from here on they count, and no others.

        A seal that was written before stays as it is until then, and so does all that it names.
        `registered` is what MLflow has outside of the run, and holds for it.
        """
        last = max((part.number for part in self._of_generation()), default=0)
        number = max(SEAL_NUMBER, last + 1)
        self.put_tree("header", number, header)
        if registered or self.has_registered:
            self.put_tree("registered", number, registered)
        tree = seal_tree(sorted(self._current(), key=lambda part: part.order))
        self._folder.settle()
        path = seal_path(self._generation)
        self._folder.replace(path, io.BytesIO(tree_bytes(tree)))
        self._folder.settle()

    @property
    def has_registered(self) -> bool:
        """Whether an earlier seal left something outside of the run."""
        return any(part.kind == "registered" for part in self._parts.values())

    def registered(self) -> list[Tree] | None:
        """What the last sending left outside of the run; None where none left anything."""
        parts = [part for part in self._parts.values() if part.kind == "registered"]
        if not parts:
            return None
        last = max(parts, key=lambda part: part.order)
        return list(self._left.members([last], "registered", lambda tree: tree))

    def members(self, kind: str, decode: Callable[[Tree], _Decoded]) -> list[_Decoded]:
        """What was sent of a kind that is few: all of it, in order, whoever sent it."""
        current = sorted(self._current(), key=lambda part: part.order)
        return list(self._left.members(current, kind, decode))

    def clear(self) -> None:
        """Remove what earlier sendings left: files first, for the parts tell which those are."""
        earlier = self._earlier()
        if not earlier:
            return
        gone = self._files_of(earlier)
        if gone:
            gone -= self._files_of(self._current())
        for path in sorted(gone):
            self._folder.remove(path)
        for part in earlier:
            self._folder.remove(part.entry.path)
        for generation, entry in self._seals.items():
            if generation != self._generation:
                self._folder.remove(entry.path)

    def _of_generation(self) -> list[Part]:
        return [part for part in self._parts.values() if part.generation == self._generation]

    def _current(self) -> list[Part]:
        """The parts that count once this sending is sealed."""
        worthless = self._restated()
        return [part for part in self._of_generation() if part.entry.path not in worthless]

    def _earlier(self) -> list[Part]:
        """The parts that this sending makes worthless."""
        older = [part for part in self._parts.values() if part.generation < self._generation]
        worthless = self._restated()
        return older + [part for part in self._of_generation() if part.entry.path in worthless]

    def _restated(self) -> frozenset[str]:
        """What growth has stated anew, as it does with all that is few per run."""
        sealed, parts = self._sealed_before(), self._of_generation()
        numbers = [p.number for p in parts if p.entry.path in sealed and p.number < SEAL_NUMBER]
        if not numbers:
            return _NONE
        top = max(numbers)
        left_over = {p.entry.path for p in parts if p.number <= top} - sealed
        if not any(top < part.number < SEAL_NUMBER for part in parts):
            return frozenset(left_over)
        restated = {p.entry.path for p in parts if p.kind in _RESTATED} & sealed
        return frozenset(left_over | restated)

    def _sealed_before(self) -> frozenset[str]:
        """The parts that the seal of this generation named when this sending began."""
        if self._sealed is None:
            self._sealed = self._left.named_by(self._seals[self._generation])
        return self._sealed

    def _files_of(self, parts: Sequence[Part]) -> set[str]:
        """Where the bytes are that some parts tell of."""
        kept = [*self._left.members(parts, "artifact", _stored_entries)]
        for kind in ("media", "file"):
            kept += (paths for _, paths in self._left.members(parts, kind, _stored))
        return {path for paths in kept for path in paths}

    def superseded(self) -> Iterator[Batch]:
        """Rows and params of earlier sendings that this one no longer has."""
        return superseded(self._left, self._earlier(), self._current(), self.native_points)

    def superseded_tags(self, now: Collection[str]) -> Iterator[str]:
        """Tags that earlier headers and attributes made, and this sending does not."""
        if not self._seals:
            return
        for header in headers_in(self._folder, self._parts.values()):
            yield from as_native_run(header, header.uid).tags.keys() - set(now)
        stated = set(self._tags_in(self._current()))
        yield from set(self._tags_in(self._earlier())) - stated - set(now)

    def _tags_in(self, parts: Sequence[Part]) -> Iterator[str]:
        attributes = self._left.members(parts, "attributes", codec.attribute_of)
        return (tag_name(attribute) for attribute in attributes if is_tag(attribute))

    # --- series and points ------------------------------------------------------------------------

    def declare(self, number: int, series: Sequence[Series]) -> None:
        """Remember under which metric each series goes."""
        names = self._known_names()
        names |= {one.key: native_key(one.key, one.stream) for one in series}
        self.put_tree("series", number, [codec.series_tree(one) for one in series])

    def native_points(self, batch: pa.RecordBatch) -> NativePoints:
        """What MLflow holds of these rows."""
        return as_native(batch, self._known_names())

    def _known_names(self) -> dict[str, str]:
        """Also the series that another process declared before it was interrupted."""
        if self._names is None:
            self._names = {}
            parts = sorted(self._parts.values(), key=lambda part: part.order)
            for one in self._left.members(parts, "series", codec.series_of):
                self._names[one.key] = native_key(one.key, one.stream)
        return self._names

    # --- everything else --------------------------------------------------------------------------

    def put_other(self, number: int, chunk: Chunk) -> Mapping[str, str]:
        """What MLflow has no rows for; the tags that make its UI show it."""
        tags: Mapping[str, str] = {}
        match chunk:
            case Texts(batch):
                self.put_batch("texts", number, conform(batch, TEXTS))
            case Histograms(batch):
                self.put_batch("histograms", number, conform(batch, HISTOGRAMS))
            case Console(batch):
                self.put_batch("console", number, conform(batch, CONSOLE))
            case Media(items):
                self.put_tree("media", number, [self._media(number, item) for item in items])
                if any(item.media_type == "image" for item in items):
                    tags = {IMAGES_TAG: "True"}
            case File(path, role, blob):
                kept = self._file(path, blob)
                self.put_tree("file", number, [{"path": path, "role": role, "blob": kept}])
            case Artifact():
                self.put_tree("artifact", number, [self._artifact(number, chunk)])
            case Document():
                self.put_tree("document", number, [codec.document_tree(chunk)])
            case Raw():
                self.put_tree("raw", number, [codec.raw_tree(chunk)])
            case Lost(loss):
                self.put_tree("lost", number, [codec.loss_tree(loss)])
            case Checkpoint():
                pass  # where the archive's reader may go on is of no use to anybody else
            case _:
                raise TypeError(f"not for here: {type(chunk).__name__}")
        return tags

    def _keep(self, blob: Blob, wished: str) -> dict[str, Tree]:
        if blob.open is None:
            return kept_blob(blob, None)
        with blob.open() as source:
            return kept_blob(blob, self._folder.put(wished, source))

    def _file(self, path: str, blob: Blob) -> dict[str, Tree]:
        """A file that was sent before, with other content, is replaced; anybody else's stays."""
        wished = safe_path(path)
        kept = self._keep(blob, wished)
        place = kept["path"]
        if place in (None, wished) or blob.open is None:
            return kept
        places = self._file_places()
        users = Counter(places.values())
        earlier = places.get(path)
        if earlier not in (None, place) and users[earlier] == 1 and not users[str(place)]:
            with blob.open() as source:
                self._folder.replace(str(earlier), source)
            self._folder.remove(str(place))
            kept["path"] = earlier
        return kept

    def _file_places(self) -> dict[str, str]:
        """Where the files stand that were sent so far; only asked when one is in the way."""
        places: dict[str, str] = {}
        for part in sorted(self._parts.values(), key=lambda part: part.order):
            if part.kind not in ("file", "media"):
                continue
            for path, stored in self._left.members([part], part.kind, _stored):
                if stored and (part.kind == "file" or stored[1:] == stored[:1]):
                    places[path] = stored[0]
        return places

    def _media(self, number: int, item: MediaItem) -> Tree:
        if _is_mlflow_table(item):
            kept = self._file(str(item.path), item.blob)
            shown = str(kept["path"])
            self._known_tables().append(shown)
            return codec.media_tree(item, kept | {"copies": [shown]})
        kept = self._keep(item.blob, media_path(number, item))
        path = cast("str | None", kept["path"])
        copy = None if path is None else self._shown(item, path)
        if copy is not None:
            kept["copies"] = [copy]
        return codec.media_tree(item, kept)

    def _shown(self, item: MediaItem, path: str) -> str | None:
        """The path of a copy that MLflow shows, where it does not show the original."""
        small = small_image_path(path)
        if small is not None and item.blob.open is not None:
            with item.blob.open() as source:
                self._folder.twin(path, small, source)
            return small
        table = split_form(item.blob) if item.media_type == "table" else None
        if table is None:
            return None
        shown = shown_table_path(path)
        self._known_tables().append(shown)
        self._folder.replace(shown, io.BytesIO(table))
        return shown

    def _known_tables(self) -> list[str]:
        """Also those that another process put before it was interrupted."""
        if self._tables is None:
            tables = self.members("media", _shown_tables)
            self._tables = [copy for copies in tables for copy in copies]
        return self._tables

    def shown_tags(self) -> Mapping[str, str]:
        """The tags that make MLflow look for all tables of the run."""
        tables = self._known_tables()
        return {TABLES_TAG: tables_tag(tables)} if tables else {}

    def _artifact(self, number: int, artifact: Artifact) -> Tree:
        below = artifact_place(artifact, number)
        entries = [
            codec.entry_tree(e, self._keep(e.blob, f"{below}/{safe_path(e.path)}"))
            for e in artifact.entries
        ]
        return codec.artifact_tree(artifact, entries)


def artifact_place(artifact: Artifact, number: int = 0) -> str:
    """Where the members of an artifact stand, seen from the run's folder."""
    version = artifact.version or artifact.artifact_id or str(number)
    return f"{ARTIFACTS}/{safe_name(artifact.name)}/{safe_name(version)}"


def _stored(tree: Tree) -> tuple[str, list[str]]:
    """The path of a file or a media item in its run, empty for none, and those that it has here."""
    kept = cast("dict[str, Tree]", tree)
    return str(kept.get("path") or ""), stored_paths(kept["blob"])


def _stored_entries(tree: Tree) -> list[str]:
    """Where the members of an artifact stand here."""
    entries = cast("list[dict[str, Tree]]", cast("dict[str, Tree]", tree)["entries"])
    return [path for entry in entries for path in stored_paths(entry["blob"])]


def _shown_tables(tree: Tree) -> list[str]:
    """The copies of a media item that MLflow shows as tables."""
    is_table = cast("dict[str, Tree]", tree)["media_type"] == "table"
    return _stored(tree)[1][1:] if is_table else []


def _is_mlflow_table(item: MediaItem) -> bool:
    """A table that `mlflow.log_table` made: it has a path and no step, and keeps that path."""
    return (
        item.media_type == "table"
        and item.path is not None
        and item.at.step is None
        and item.at.time_ns is None
        and is_loadable(item.path, item.blob)
    )
