"""Aim's objects made of bytes as they are: its own constructors write pictures anew.

It imports nothing of runferry, as `child` does not, which lies beside it.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from aim.ext.resource.log import LogLine
from aim.sdk.objects import Audio, Distribution, Figure, Image, Text
from aim.storage.types import BLOB
from PIL import Image as Picture
from PIL import UnidentifiedImageError

Row = tuple[str, dict[str, Any], int, float, Any]
"""Name, context, step, time in seconds and what was tracked."""


def objects_of(rows: list[dict[str, Any]], payload: bytes) -> Iterator[Row]:
    """What each row tracks; what Aim cannot hold is left out. Bytes of objects follow each other.

    Pictures and sounds are lists, also of one: a sequence of Aim's has either lists or objects.
    """
    offset = 0
    for row in rows:
        found = []
        for item in row["items"]:
            content = payload[offset : offset + item["size"]]
            offset += item["size"]
            made = _MADE[item["type"]](item, content)
            if made is not None:
                found.append(made)
        if found:
            value = found if row["items"][0]["type"] in _LISTED else found[-1]
            yield row["name"], row["context"], row["step"], row["time"], value


def _line(item: dict[str, Any], content: bytes) -> Any:
    return LogLine(content.decode("utf-8", "replace"))


def _text(item: dict[str, Any], content: bytes) -> Any:
    return Text(content.decode("utf-8", "replace"))


def _image(item: dict[str, Any], content: bytes) -> Any:
    """A picture; None for bytes that are none."""
    try:
        with Picture.open(io.BytesIO(content)) as picture:
            size, mode, form = picture.size, picture.mode, picture.format
    except (
        UnidentifiedImageError,
        Picture.DecompressionBombError,
        OSError,
        ValueError,
        SyntaxError,
    ):
        return None
    image = Image.__new__(Image)
    image.storage["data"] = BLOB(data=content)
    image.storage["source"] = "PIL.Image"
    image.storage["mode"] = mode
    image.storage["format"] = str(form).lower()
    image.storage["width"], image.storage["height"] = size
    image.caption = item["caption"]
    return image


def _audio(item: dict[str, Any], content: bytes) -> Any:
    return Audio(content, format=item["format"], caption=item["caption"])


def _figure(item: dict[str, Any], content: bytes) -> Any:
    figure = Figure.__new__(Figure)
    figure.storage["source"] = "plotly"
    figure.storage["version"] = "unknown"
    figure.storage["format"] = "raw_json"
    figure.storage["data"] = BLOB(data=content.decode("utf-8", "replace"))
    return figure


def _distribution(item: dict[str, Any], content: bytes) -> Any:
    weights = np.frombuffer(content, np.dtype(item["dtype"]))
    return Distribution(hist=weights, bin_range=item["range"])


_LISTED = ("image", "audio")
_MADE: dict[str, Callable[[dict[str, Any], bytes], Any]] = {
    "line": _line,
    "text": _text,
    "image": _image,
    "audio": _audio,
    "plot": _figure,
    "histogram": _distribution,
}
