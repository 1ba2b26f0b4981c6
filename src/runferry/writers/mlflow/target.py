"""One run being written: its artifact folder, its series, and the parts of its bundle."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

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
from runferry.dialects.mlflow import codec
from runferry.dialects.mlflow.artifacts import ArtifactFolder, Entry
from runferry.dialects.mlflow.bundle import (
    batch_bytes,
    kept_blob,
    part_path,
    parts_of,
    read_tree,
    seal_path,
    seal_tree,
    tree_bytes,
)
from runferry.dialects.mlflow.facts import IMAGES_TAG
from runferry.dialects.mlflow.paths import ARTIFACTS, BUNDLE, safe_name, safe_path
from runferry.dialects.mlflow.points import as_native, native_key
from runferry.errors import RunMissing
from runferry.model import Blob, MediaItem, Series, Tree
from runferry.tables import CONSOLE, HISTOGRAMS, TEXTS, conform
from runferry.writers.mlflow.media import media_path, small_image_path

if TYPE_CHECKING:
    import pyarrow as pa

    from runferry.dialects.mlflow.points import NativePoints


class Target:
    """`generation` is how often the run was completed before."""

    def __init__(self, folder: ArtifactFolder, generation: int) -> None:
        self.generation = generation
        self._folder = folder
        self._names: dict[str, str] | None = None

    # --- parts ------------------------------------------------------------------------------------

    def put_tree(self, kind: str, number: int, tree: Tree) -> None:
        """One JSON part."""
        self._put(kind, number, "json", tree_bytes(tree))

    def put_batch(self, kind: str, number: int, batch: pa.RecordBatch) -> None:
        """One Parquet part."""
        self._put(kind, number, "parquet", batch_bytes(batch))

    def _put(self, kind: str, number: int, suffix: str, content: bytes) -> None:
        """A chunk that an earlier generation holds already is a repeated one, not a new one."""
        for earlier in range(self.generation):
            path = part_path(kind, earlier, number, suffix)
            held = self._folder.blob(Entry(path, None))
            if held.open is not None and held.size in (None, len(content)):
                try:
                    with held.open() as source:
                        if source.read() == content:
                            return
                except (FileNotFoundError, RunMissing):
                    continue
        path = part_path(kind, self.generation, number, suffix)
        self._folder.replace(path, io.BytesIO(content))

    def seal(self) -> None:
        """Name all parts, so that one that goes missing is noticed."""
        tree = seal_tree(self._folder.walk(BUNDLE))
        self._folder.replace(seal_path(self.generation), io.BytesIO(tree_bytes(tree)))

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
            for part in parts_of(self._folder.walk(BUNDLE)):
                if part.kind == "series":
                    trees = cast("list[Tree]", read_tree(self._folder.blob(part.entry)))
                    for one in map(codec.series_of, trees):
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
                kept = self._keep(blob, safe_path(path))
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

    def _keep(self, blob: Blob, wished: str) -> Tree:
        if blob.open is None:
            return kept_blob(blob, None)
        with blob.open() as source:
            return kept_blob(blob, self._folder.put(wished, source))

    def _media(self, number: int, item: MediaItem) -> Tree:
        wished = media_path(number, item)
        kept = cast("dict[str, Tree]", self._keep(item.blob, wished))
        path = cast("str | None", kept["path"])
        small = small_image_path(path) if path is not None else None
        if path is not None and small is not None and item.blob.open is not None:
            with item.blob.open() as source:
                self._folder.twin(path, small, source)
            kept["copies"] = [small]
        return codec.media_tree(item, kept)

    def _artifact(self, number: int, artifact: Artifact) -> Tree:
        version = artifact.version or artifact.artifact_id or str(number)
        below = f"{ARTIFACTS}/{safe_name(artifact.name)}/{safe_name(version)}"
        entries = [
            codec.entry_tree(e, self._keep(e.blob, f"{below}/{safe_path(e.path)}"))
            for e in artifact.entries
        ]
        return codec.artifact_tree(artifact, entries)
