"""The values of one operation that logs: numbers, texts or images, with steps and times."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from runferry.model import Address, Blob, MediaItem, Tree
from runferry.readers.neptune.media import kind_of, type_of_image
from runferry.readers.neptune.queue.values import Unreplayable


@dataclass(frozen=True, slots=True)
class Picture:
    """An image as `ImageValue` spells it."""

    blob: Blob
    facts: dict[str, Tree]

    def item(self, key: str, at: Address) -> MediaItem:
        """As an item of a series."""
        described = (self.facts.get("description"), self.facts.get("name"))
        caption = next((one for one in described if isinstance(one, str) and one), None)
        kind = kind_of(self.blob.media_type) if self.blob.media_type else "image"
        facts = {**self.facts} or None
        return MediaItem(key, at, kind, self.blob, caption=caption, metadata=facts)


def number_of(value: Tree) -> float:
    """A value of a float series. Raises Unreplayable."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Unreplayable("a value of a float series that is no number")
    try:
        return float(value)
    except OverflowError:
        raise Unreplayable("a number beyond a double") from None


def text_of_line(value: Tree) -> str:
    """A value of a string series. Raises Unreplayable."""
    if not isinstance(value, str):
        raise Unreplayable("a value of a string series that is no text")
    return value


def columns_of(values: Tree) -> tuple[list[Tree], list[float | None], list[float | None]]:
    """Values, steps and times of an operation. Raises Unreplayable."""
    if not isinstance(values, list) or not all(isinstance(one, dict) for one in values):
        raise Unreplayable("no list of values")
    try:
        found = [one["value"] for one in values]  # type: ignore[index,call-overload]
        steps = [one.get("step") for one in values]  # type: ignore[union-attr]
        times = [one["ts"] for one in values]  # type: ignore[index,call-overload]
    except KeyError as error:
        raise Unreplayable(f"a value without {error}") from None
    return found, [_place(one) for one in steps], [_place(one) for one in times]


def _place(value: Tree) -> float | None:
    """A step or a time; infinity, which is then told to be none, for a number beyond a double."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Unreplayable("a step or a time that is no number")
    try:
        return float(value)
    except OverflowError:
        return float("inf")


def picture_of(value: Tree) -> Picture:
    """Raises Unreplayable. The oldest clients log an image's base64 alone."""
    told: dict[str, Tree] = value if isinstance(value, dict) else {"data": value}
    facts = {name: told[name] for name in ("name", "description") if told.get(name)}
    return Picture(_bytes_of(told.get("data")), facts)


def _bytes_of(data: Tree) -> Blob:
    """An image without bytes was larger than the client logs. Raises Unreplayable."""
    if data is None or data == "":
        return Blob()
    try:
        content = base64.b64decode(data, validate=True) if isinstance(data, str) else None
    except (binascii.Error, ValueError):
        content = None
    if content is None:
        raise Unreplayable("an image that is no base64")
    return Blob.from_bytes(content, type_of_image(content))
