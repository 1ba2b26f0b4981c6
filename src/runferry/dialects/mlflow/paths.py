"""Names from the data as artifact paths: inside their folder, on any disk, and through any URL."""

from __future__ import annotations

import hashlib
import posixpath
import re
from typing import Final

BUNDLE: Final = "runferry"
"""The artifact folder that refines what MLflow holds of a run."""
MEDIA: Final = "media"
IMAGES: Final = "images"
TABLES: Final = "tables"
ARTIFACTS: Final = "artifacts"

_LONG: Final = "long"
_RESERVED: Final = re.compile(
    rf"(?i)(?:{BUNDLE}|{ARTIFACTS}|{_LONG})(?:/.*)?"
    rf"|{IMAGES}/.*\+step\+.*"
    rf"|(?:{MEDIA}|{TABLES})/[^/]+/-?\d+--?\d+-\d+-[0-9a-f]+(?:~\d+)?(?:\.[^/]*)?"
)
"""Where we put other things than files; names of the data that merely resemble them stay."""
_UNSAFE: Final = re.compile(r"[^\w .\-()+,@~]|[\ud800-\udfff]")
_DEVICE: Final = re.compile(r"(?i)^(con|prn|aux|nul|com\d|lpt\d)(?=\.|$)")
_MAX_PART: Final = 180  # bytes; NAME_MAX is 255 on Linux, and uploads add a suffix while writing
_MAX_PATH: Final = 700


def safe_path(path: str) -> str:
    """The path as a relative one without surprises; different paths stay different.

    What MLflow's `validate_path_is_safe` refuses (`..`, `#`, `%2F`, a drive letter), what Windows
    cannot hold and what a URL would decode is written as `=` and its UTF-8 bytes in hex.
    """
    parts = [_safe_part(part) for part in path.split("/")]
    joined = "/".join(parts)
    if len(joined.encode()) > _MAX_PATH:
        return f"{_LONG}/{_mark(path)}{posixpath.splitext(parts[-1])[1][:20]}"
    if _RESERVED.fullmatch(joined):
        return _escaped(joined[0]) + joined[1:]
    return joined


def safe_name(name: str) -> str:
    """A key as one part of a path; MLflow's own images write `/` as `~`."""
    return _safe_part(name.replace("=", "=3D").replace("~", "=7E").replace("/", "~"), escaped=True)


def _safe_part(part: str, *, escaped: bool = False) -> str:
    if part in ("", ".", ".."):
        return "=" + "".join(f"={ord(c):02X}" for c in part)
    safe = part if escaped else part.replace("=", "=3D")
    safe = "".join(c if c == "=" or not _UNSAFE.match(c) else _escaped(c) for c in safe)
    if safe[-1] in ". ":
        safe = safe[:-1] + _escaped(safe[-1])
    if _DEVICE.match(safe):
        safe = _escaped(safe[0]) + safe[1:]
    if len(safe.encode()) <= _MAX_PART:
        return safe
    suffix = posixpath.splitext(safe)[1][:20]
    kept = safe.encode()[: _MAX_PART - 40].decode("utf-8", "ignore")
    return f"{kept}=~{_mark(part)}{suffix}"


def _escaped(character: str) -> str:
    return "".join(f"={byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))


def _mark(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
