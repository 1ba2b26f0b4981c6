"""What the bytes of Neptune's files are: by their name's ending, or by how they begin."""

from __future__ import annotations

import mimetypes
from typing import Final

from runferry.model import FileRole, KeyPath, MediaType

_MAGIC: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
)
_CHECKPOINTS: Final = (".ckpt", ".pth", ".pt", ".safetensors", ".h5", ".keras", ".onnx")


def media_type_of(name: str) -> str | None:
    """The MIME type of a file of this name."""
    return mimetypes.guess_type(name)[0]


def type_of_image(content: bytes) -> str | None:
    """The MIME type of an image, by its first bytes."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return next((mime for magic, mime in _MAGIC if content.startswith(magic)), None)


def kind_of(media_type: str | None) -> MediaType:
    """What a member of a file series is."""
    match (media_type or "").partition("/"):
        case ("image", _, _):
            return "image"
        case ("audio", _, _):
            return "audio"
        case ("video", _, _):
            return "video"
        case ("text", _, "html"):
            return "html"
    return "file"


def file_role_of(path: KeyPath, name: str) -> FileRole:
    """What a file is, judged by the attribute that holds it and its name."""
    if path[:2] == ("source_code", "requirements") or name.endswith("requirements.txt"):
        return "requirements"
    if path[0] == "source_code":
        return "source"
    if "checkpoint" in "/".join(path).lower() or name.lower().endswith(_CHECKPOINTS):
        return "checkpoint"
    return "other"


def file_name(path: KeyPath, ending: str) -> str:
    """An attribute's path as a file's, with the ending that its bytes have."""
    plain = "/".join(path)
    ending = ending.removeprefix(".")
    return plain if not ending or plain.endswith(f".{ending}") else f"{plain}.{ending}"
