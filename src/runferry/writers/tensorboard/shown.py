"""Media as TensorBoard shows them; what it cannot show, and what it would not, lies beside.

A record of ours says each item exactly. Where the bytes stand in an event, so that TensorBoard
shows them, the record says where: nothing is stored twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Final

from runferry.dialects import codec
from runferry.dialects.tensorboard.own_files import at_event, at_file
from runferry.dialects.tensorboard.wire import (
    Metadata,
    Strings,
    integer,
    other_event,
    strings_event,
    tensor_event,
)
from runferry.model import MediaItem, Tree
from runferry.writers.tensorboard.blob_files import BlobFiles
from runferry.writers.tensorboard.hparams import seconds
from runferry.writers.tensorboard.pictures import image_size, is_wave

if TYPE_CHECKING:
    from runferry._native import EventWriter

_LARGEST: Final = 64 << 20
"""Bytes of an item that is put into an event: readers hold whole events in memory."""
_IMAGES: Final = Metadata("images", "blob_sequence", integer(2, 1))
# of no data class, so that TensorBoard takes the labels out
_AUDIO: Final = Metadata("audio", "unknown", integer(2, 11) + integer(3, 1))  # WAV
_EVENT_FIELDS: Final = {"graph_def": 4, "meta_graph_def": 9, "tagged_run_metadata": 8}
_GRAPH_PLUGINS: Final = {"graph_run_metadata", "graph_run_metadata_graph", "graph_keras_model"}


@dataclass
class ShownMedia:
    """Writes the media of one run."""

    events: EventWriter
    blobs: BlobFiles
    hidden: dict[str, int]
    """How many images and sounds of each series TensorBoard cannot show."""

    def write(self, items: Iterable[MediaItem]) -> list[Tree]:
        """All items of a chunk, in order; what a record says of them."""
        trees: list[Tree] = []
        for _, row in groupby(items, lambda item: (item.key, item.at, item.media_type)):
            trees.extend(self._row(list(row)))
        return trees

    def _row(self, items: list[MediaItem]) -> Iterator[Tree]:
        """Neighbours of one series and source row: images that belong together."""
        match items[0].media_type:
            case "image":
                yield from self._images(items)
            case "audio":
                yield from self._sounds(items)
            case _:
                for item in items:
                    yield self._as_it_was(item)

    def _images(self, items: list[MediaItem]) -> Iterator[Tree]:
        contents = [_content(item) for item in items]
        sizes = [None if content is None else image_size(content) for content in contents]
        if not all(sizes):  # those that can be shown, by themselves
            for item, content, size in zip(items, contents, sizes, strict=True):
                if content is None or size is None:
                    yield self._hidden(item)
                else:
                    yield from self._image_event([item], [content], size)
        elif sizes[0] is not None:
            shown = [content for content in contents if content is not None]
            yield from self._image_event(items, shown, sizes[0])

    def _image_event(
        self, items: list[MediaItem], contents: list[bytes], size: tuple[int, int]
    ) -> Iterator[Tree]:
        width, height = (str(length).encode() for length in size)
        tensor = Strings((width, height, *contents), (2 + len(contents),))
        starts = self._strings(items[0], _IMAGES, tensor)[2:]
        for item, content, start in zip(items, contents, starts, strict=True):
            yield codec.media_tree(item, at_event(item.blob, start, len(content)))

    def _sounds(self, items: list[MediaItem]) -> Iterator[Tree]:
        contents = [_content(item) for item in items]
        if any(content is None or not is_wave(content) for content in contents):
            yield from map(self._hidden, items)
            return
        elements: list[bytes] = []
        for item, content in zip(items, contents, strict=True):
            elements += [content or b"", (item.caption or "").encode()]
        tensor = Strings(tuple(elements), (len(items), 2))
        starts = self._strings(items[0], _AUDIO, tensor)[::2]
        for item, start, content in zip(items, starts, elements[::2], strict=True):
            yield codec.media_tree(item, at_event(item.blob, start, len(content)))

    def _strings(self, item: MediaItem, plugin: Metadata, tensor: Strings) -> list[int]:
        """Writes an event; where each element of its tensor begins in the file."""
        tag, is_first = self.events.tag(item.key, plugin.plugin)
        metadata = plugin.spelled() if is_first else b""
        event, places = strings_event(tag, metadata, tensor, step=_step(item), seconds=_time(item))
        start = self.events.event(event)
        return [start + place for place in places]

    def _as_it_was(self, item: MediaItem) -> Tree:
        """A graph or mesh of TensorBoard's own, written back; anything else lies beside."""
        told = item.metadata if isinstance(item.metadata, dict) else {}
        form, plugin = told.get("form"), told.get("plugin")
        content = _content(item) if plugin is not None else None
        if content is None:
            return self._beside(item)
        if form in _EVENT_FIELDS:
            number = _EVENT_FIELDS[str(form)]
            event = other_event(number, content, step=_step(item), seconds=_time(item))
            at = self.events.event(event) + event.index(content)
        elif plugin == "mesh" or form in _GRAPH_PLUGINS:
            tag, is_first = self.events.tag(item.key, str(plugin))
            stated = told.get("content")
            facts = stated if isinstance(stated, bytes) else b""
            metadata = Metadata(str(plugin), "blob_sequence", facts).spelled() if is_first else b""
            event, start = tensor_event(
                tag, metadata, content, step=_step(item), seconds=_time(item)
            )
            at = self.events.event(event) + start
        else:
            return self._beside(item)
        return codec.media_tree(item, at_event(item.blob, at, len(content)))

    def _hidden(self, item: MediaItem) -> Tree:
        if not item.blob.is_missing:
            self.hidden[item.key] = self.hidden.get(item.key, 0) + 1
        return self._beside(item)

    def _beside(self, item: MediaItem) -> Tree:
        return codec.media_tree(item, at_file(item.blob, self.blobs.put(item.blob)))


def _content(item: MediaItem) -> bytes | None:
    """The bytes, if there are any and not too many to be put into an event."""
    if item.blob.open is None:
        return None
    with item.blob.open() as source:
        content = source.read(_LARGEST + 1)
    return content if len(content) <= _LARGEST else None


def _step(item: MediaItem) -> int:
    return item.at.seq if item.at.step is None else item.at.step


def _time(item: MediaItem) -> float:
    return seconds(item.at.time_ns)
