"""Where media go: images and tables where MLflow's UI looks for them, the rest by key and step."""

from __future__ import annotations

import hashlib
import mimetypes
import posixpath
import re
import uuid
from typing import Final

from runferry.dialects.mlflow.paths import IMAGES, MEDIA, TABLES, safe_name
from runferry.model import MediaItem

_SUFFIX: Final = re.compile(r"\.[A-Za-z0-9]{1,10}")
_SHOWN: Final = (".png", ".webp", ".jpg", ".jpeg", ".gif", ".bmp", ".svg")
_DEFAULTS: Final = {"image": ".png", "table": ".json", "html": ".html", "audio": ".wav"}


def media_path(number: int, item: MediaItem) -> str:
    """The artifact path of one item; the same for the same chunk, another for any other item."""
    key, suffix = safe_name(item.key), _suffix(item)
    step = item.at.step if item.at.step is not None else item.at.seq
    mark = hashlib.blake2b(
        f"{number}/{item.key}/{item.at.seq}/{item.index}".encode("utf-8", "surrogatepass"),
        digest_size=16,
    ).hexdigest()
    if item.media_type == "image" and suffix in _SHOWN:
        time_ms = max(0, (item.at.time_ns or 0) // 1_000_000)
        # the layout of MlflowClient.log_image, 3.17
        return f"{IMAGES}/{key}+step+{step}+timestamp+{time_ms}+{uuid.UUID(mark)}{suffix}"
    return f"{MEDIA}/{key}/{step}-{item.at.seq}-{item.index}-{mark[:8]}{suffix}"


def shown_table_path(path: str) -> str:
    """Where the table that stands at a media path is kept once more, for MLflow to show."""
    return f"{TABLES}/{posixpath.splitext(path)[0].removeprefix(f'{MEDIA}/')}.json"


def small_image_path(path: str) -> str | None:
    """Where MLflow's grid of images looks for a thumbnail; browsers do not mind its true type."""
    if not path.startswith(f"{IMAGES}/"):
        return None
    return f"{posixpath.splitext(path)[0]}+compressed.webp"


def _suffix(item: MediaItem) -> str:
    stated = posixpath.splitext(item.path or "")[1]
    if _SUFFIX.fullmatch(stated):
        return stated.lower()
    guessed = mimetypes.guess_extension(item.blob.media_type or "")
    return guessed or _DEFAULTS.get(item.media_type, ".bin")
