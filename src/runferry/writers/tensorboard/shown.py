"""Media as TensorBoard shows them; what it cannot show, and what it would not, lies beside.

A record of ours says each item exactly. Where the bytes stand in an event, so that TensorBoard
shows them, the record says where: nothing is stored twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Final

from runferry.dialects import codec
from runferry.dialects.protobuf import field, integer, text_bytes
from runferry.dialects.tensorboard.own_files import at_event, at_file
from runferry.dialects.tensorboard.wire import (
    Metadata,
    Strings,
    number_tensor,
    other_event,
    strings_event,
    tensor_event,
)
from runferry.model import MediaItem, Tree
from runferry.tables import loads
from runferry.writers.tensorboard.blob_files import BlobFiles
from runferry.writers.tensorboard.hparams import seconds
from runferry.writers.tensorboard.messages import message
from runferry.writers.tensorboard.pictures import image_size, is_wave

if TYPE_CHECKING:
    from runferry._native import EventWriter

_LARGEST: Final = 64 << 20
"""Bytes of an item that is put into an event: readers hold whole events in memory."""
_IMAGES: Final = Metadata("images", "blob_sequence", integer(2, 1))
# of no data class, so that TensorBoard takes the labels out
_AUDIO: Final = Metadata("audio", "unknown", integer(2, 11) + integer(3, 1))  # WAV
_EVENT_FIELDS: Final = {
    "graph_def": (4, False), "meta_graph_def": (9, False), "tagged_run_metadata": (8, True),
}  # fmt: skip
"""Forms that stand in a field of the event, and whether with their tag."""


@dataclass
class ShownMedia:
    """Writes the media of one run."""

    events: EventWriter
    blobs: BlobFiles
    hidden: Counter[str]
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
        if sum(_bytes_at_most(item) for item in items) > _LARGEST and len(items) > 1:
            for item in items:  # each in an event of its own
                yield from self._images([item])
            return
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
        if sum(_bytes_at_most(item) for item in items) > _LARGEST and len(items) > 1:
            for item in items:
                yield from self._sounds([item])
            return
        contents = [_content(item) for item in items]
        if any(content is None or not is_wave(content) for content in contents):
            yield from map(self._hidden, items)
            return
        elements: list[bytes] = []
        for item, content in zip(items, contents, strict=True):
            elements += [content or b"", text_bytes(item.caption or "")]
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
        """What came from TensorBoard, written back for it; anything else lies beside."""
        told = item.metadata if isinstance(item.metadata, dict) else {}
        plugin, form = told.get("plugin"), str(told.get("form"))
        content = _content(item) if plugin in ("graphs", "mesh", "pr_curves") else None
        if content is None:
            return self._beside(item)
        if plugin == "pr_curves":
            self._curves(item, content, is_double=told.get("dtype") == "float64")
            return self._beside(item)  # the curves of the event are not the item's own bytes
        if plugin == "mesh":
            described = Metadata("mesh", "tensor", content=message("MeshPluginData", told))
            at = self._tensor(item, described, content)
        elif form in _EVENT_FIELDS:
            number, is_tagged = _EVENT_FIELDS[form]
            whole = field(1, item.key) + field(2, content) if is_tagged else content
            event = other_event(number, whole, step=_step(item), seconds=_time(item))
            at = self.events.event(event) + event.rindex(content)
        else:
            (at,) = self._strings(item, Metadata(form), Strings((content,), ()))
        return codec.media_tree(item, at_event(item.blob, at, len(content)))

    def _tensor(self, item: MediaItem, described: Metadata, tensor: bytes) -> int:
        """Shows a `TensorProto` as it is; where in the file it begins."""
        tag, is_first = self.events.tag(item.key, described.plugin)
        metadata = described.spelled() if is_first else b""
        event, start = tensor_event(tag, metadata, tensor, step=_step(item), seconds=_time(item))
        return self.events.event(event) + start

    def _curves(self, item: MediaItem, content: bytes, *, is_double: bool) -> None:
        """The lists of a PR curve, as the tensor that they came as."""
        try:
            lists = loads(content)
            rows = [[float(value) for value in row] for row in lists.values()]  # type: ignore[union-attr,arg-type]
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
            return  # not what TensorBoard's reader makes of curves: it lies beside
        if len({len(row) for row in rows}) > 1:
            return  # no tensor is ragged
        count = len(rows[0]) if rows else 0
        self._tensor(
            item,
            Metadata("pr_curves", "tensor", integer(2, count)),
            number_tensor([value for row in rows for value in row], (len(rows), count), is_double),
        )

    def _hidden(self, item: MediaItem) -> Tree:
        if not item.blob.is_missing:
            self.hidden[item.key] += 1
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


def _bytes_at_most(item: MediaItem) -> int:
    """How many bytes the item may put into an event; of a size that nobody stated, the most."""
    if item.blob.is_missing:
        return 0
    return _LARGEST if item.blob.size is None else item.blob.size


def _step(item: MediaItem) -> int:
    return item.at.seq if item.at.step is None else item.at.step


def _time(item: MediaItem) -> float:
    return seconds(item.at.time_ns)
