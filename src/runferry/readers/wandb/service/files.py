"""A run's files in the service: listed page by page, fetched when somebody wants their bytes.

Names are data: they are given on as they are, and never become paths of this machine.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, Final

from runferry import chunks
from runferry.dialects.wandb.file_roles import role_of
from runferry.dialects.wandb.service import Service
from runferry.model import Blob, MediaItem, Tree
from runferry.readers.wandb.media import places_of
from runferry.readers.wandb.row_media import MEDIA, RowMedia
from runferry.readers.wandb.service.place import RunPlace
from runferry.readers.wandb.service.position import Position
from runferry.readers.wandb.service.queries import FILES

PAGE: Final = 200
_FOLDER: Final = ""  # all files of a run are in one


@dataclass(frozen=True, slots=True)
class ServedFile:
    """A file as the service lists it."""

    name: str
    url: str | None
    size: int | None
    stamp: list[Tree]

    @classmethod
    def of(cls, node: dict[str, Any]) -> ServedFile:
        """From its node."""
        size = node.get("sizeBytes")
        return cls(
            str(node.get("name", "")),
            node.get("directUrl") or None,
            int(size) if isinstance(size, (int, str)) and str(size).isdigit() else None,
            [str(node.get("md5") or ""), str(node.get("updatedAt") or ""), str(size)],
        )


class RunFiles:
    """The files of one run."""

    def __init__(self, service: Service, place: RunPlace, position: Position) -> None:
        self._service = service
        self._place = place
        self._position = position
        self._media = RowMedia(**position.media)  # type: ignore[arg-type]
        self._held: dict[str, bytes] = {}  # what was needed here, and need not be fetched again

    # --- bytes

    def blob(self, file: ServedFile) -> Blob:
        """Its bytes, fetched when they are opened."""
        media_type = mimetypes.guess_type(file.name)[0]
        if file.name in self._held:
            return Blob.from_bytes(self._held[file.name], media_type)
        if file.url is None:
            return Blob(file.size, media_type)
        return Blob(file.size, media_type, None, lambda: self.opened(file))

    def content(self, file: ServedFile) -> bytes:
        """The bytes of a small file that the reader looks at itself."""
        with self.opened(file) as stream:
            self._held[file.name] = stream.read()
        return self._held[file.name]

    def opened(self, file: ServedFile) -> BinaryIO:
        """Raises FileNotFoundError for a file that is there no more; the next read asks again."""

        def url_of(is_again: bool) -> str | None:
            return next((f.url for f in self.named([file.name])), None) if is_again else file.url

        try:
            return self._service.opened(url_of, file.name)
        except FileNotFoundError:
            self._position.files.pop(file.name, None)
            raise

    def first_of(self, page: dict[str, Any], name: str) -> ServedFile | None:
        """The file of this name, from the first page of all if it stands there."""
        found = next((file for file in _listed(page) if file.name == name), None)
        if found is None and following(page) is not None:
            found = next(self.named([name]), None)
        return found

    def named(self, names: Sequence[str]) -> Iterator[ServedFile]:
        """Those of these names that are there."""
        for start in range(0, len(names), PAGE):
            some = list(names[start : start + PAGE])
            yield from self._pages(None, some)

    def _pages(self, cursor: str | None, names: list[str]) -> Iterator[ServedFile]:
        while True:
            variables = {
                **self._place.variables,
                "cursor": cursor,
                "perPage": PAGE,
                "names": names,
            }
            node = self._place.run_in(self._service.ask(FILES, variables))
            page = node.get("files") or {}
            yield from _listed(page)
            cursor = following(page)
            if cursor is None:
                return

    # --- media of rows

    def claim_items(self, items: Iterable[MediaItem]) -> None:
        """These belong to rows. Raises SourceChanged when one was given as a file before."""
        self._media.claim(items, None)

    def with_bytes(self, read: Iterable[chunks.Chunk]) -> Iterator[chunks.Chunk]:
        """The same chunks, media with the bytes that the run has of them."""
        for chunk in read:
            yield self._with_bytes(chunk) if isinstance(chunk, chunks.Media) else chunk

    def _with_bytes(self, media: chunks.Media) -> chunks.Media:
        wanted = {
            item.path: places_of(item.path, item.media_type) for item in media.items if item.path
        }
        names = list(dict.fromkeys(name for places in wanted.values() for name in places))
        found = {file.name: file for file in self.named(names)}

        def of(item: MediaItem) -> MediaItem:
            places = wanted.get(item.path, ()) if item.path else ()
            file = next((found[name] for name in places if name in found), None)
            if file is None:
                return item
            blob = replace(self.blob(file), sha256=item.blob.sha256)
            return replace(item, blob=blob)

        items = tuple(map(of, media.items))
        self._media.claim(items, _FOLDER)
        return chunks.Media(items)

    # --- the listing

    def changed(self, first: dict[str, Any], *, is_over: bool) -> Iterator[chunks.Chunk]:
        """Files that are new or changed; `first` is the first page of them.

        While a run goes on its media wait: their rows may be on the way, or their bytes. Raises
        SourceChanged where those of a row came after it.
        """
        for file in self._all(first):
            if file.name.startswith(MEDIA):
                if not is_over:
                    continue
                if file.url is not None:
                    self._media.check(_FOLDER, file.name)
                if self._media.is_claimed(file.name) or self._media.is_given(file.name):
                    continue
                self._media.give(file.name)
            elif self._position.files.get(file.name) == file.stamp:
                continue
            else:
                self._position.files[file.name] = file.stamp
            yield chunks.File(file.name, role_of(file.name), self.blob(file))
        self._position.media = self._media.position()

    def _all(self, first: dict[str, Any]) -> Iterator[ServedFile]:
        yield from _listed(first)
        cursor = following(first)
        if cursor is not None:
            yield from self._pages(cursor, [])


def _listed(page: dict[str, Any]) -> Iterator[ServedFile]:
    for node in nodes(page):
        yield ServedFile.of(node)


def nodes(page: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The nodes of one page of a connection."""
    for edge in page.get("edges") or ():
        if isinstance(edge, dict) and isinstance(edge.get("node"), dict):
            yield edge["node"]


def following(page: dict[str, Any]) -> str | None:
    """The cursor behind which the next page begins; None if this is the last."""
    found = page.get("pageInfo") or {}
    return str(found["endCursor"]) if found.get("hasNextPage") and found.get("endCursor") else None
