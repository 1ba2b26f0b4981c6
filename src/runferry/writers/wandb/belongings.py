"""What has bytes of its own: files, media and artifacts, stored and told to W&B."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TypeAlias

from runferry.chunks import Artifact, File, Media
from runferry.dialects.wandb.own_files import at_place
from runferry.model import MediaItem, Uid
from runferry.writers.wandb import artifacts, media, messages
from runferry.writers.wandb.blob_files import BlobFiles, StoredFile
from runferry.writers.wandb.declared import DeclaredSeries
from runferry.writers.wandb.place import Place
from runferry.writers.wandb.records import Records

IsThere: TypeAlias = "Callable[[artifacts.Produced, Collection[str]], bool]"
"""Whether a version, with these aliases, is where it goes already, and need not be sent."""


class Belongings:
    """Those of one run."""

    def __init__(
        self,
        records: Records,
        blobs: BlobFiles,
        place: Place,
        uid: Uid,
        before: IsThere | None = None,
    ) -> None:
        self._before = before
        self._records = records
        self._blobs = blobs
        self._place = place
        self._uid = uid
        self._listed: set[str] = set()
        self.produced: list[artifacts.Produced] = []  # under the names that they have

    def file(self, file: File) -> StoredFile | None:
        """A file of the run; where its bytes are, if it has any."""
        stored = self._blobs.file(file.path, file.blob)
        self._records.keep(file, lambda blob, _: at_place(blob, _path(stored)))
        self._list(stored)
        return stored

    def said(self, path: str, content: bytes) -> None:
        """A file of ours, for W&B to upload with the run."""
        self._list(self._blobs.said(path, content))

    def beside(self, path: str) -> None:
        """A file of ours that lies below `files` already."""
        self._records.put(messages.FILES, messages.ListedFile(path).message())

    def media(
        self, items: tuple[MediaItem, ...], series: DeclaredSeries
    ) -> list[media.StoredMedium]:
        """Media, shown in the rows of their steps."""
        stored = media.store(items, self._blobs)
        places = iter([_path(one.file) for one in stored])
        self._records.keep(Media(items), lambda blob, _: at_place(blob, next(places)))
        shown = media.shown_media(stored)
        if shown is None:
            return stored
        batch, fields = shown
        for key, name in fields:
            address = [*series.address(key), name]
            self._records.log.declare(media.field_name(key, name), address, False)
        self._records.rows(self._records.log.media, batch)
        for one in stored:
            self._list(one.file, is_media=True)
        return stored

    def artifact(self, artifact: Artifact) -> None:
        """An artifact that the run made or used."""
        entries = [
            artifacts.StoredEntry(entry, self._blobs.other(entry.blob))
            for entry in artifact.entries
        ]
        places = iter([_path(one.file) for one in entries])
        self._records.keep(artifact, lambda blob, _: at_place(blob, next(places)))
        if artifact.relation == "used":
            self._records.put(artifacts.USED, artifacts.used(artifact))
            return
        digest = artifacts.manifest_digest(artifacts.shown_of(entries))
        content = (artifacts.fit_name(artifact.name), artifact.type or artifacts.NO_TYPE, digest)
        made = artifacts.Produced(artifacts.place_of(artifact), content)
        if artifacts.is_fit(artifact):
            self.produced.append(made)
        if self._before is not None and self._before(made, artifact.aliases):
            return
        message = artifacts.produced(artifact, entries, self._uid, self._place)
        self._records.put(artifacts.ARTIFACT, message)

    def _list(self, stored: StoredFile | None, *, is_media: bool = False) -> None:
        """For W&B to upload, once."""
        path = None if stored is None else stored.below_files
        if path is not None and path not in self._listed:
            self._listed.add(path)
            self._records.put(messages.FILES, messages.ListedFile(path, is_media).message())


def _path(stored: StoredFile | None) -> str | None:
    return None if stored is None else stored.place
