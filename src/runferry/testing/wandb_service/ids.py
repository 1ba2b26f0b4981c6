"""Ids as the service gives them: base64 of a kind and what names the thing."""

from __future__ import annotations

import base64
import binascii

from runferry.testing.wandb_service.refusals import Missing


def global_id(kind: str, *parts: object) -> str:
    """An opaque id."""
    text = ":".join([kind, *map(str, parts)])
    return base64.b64encode(text.encode()).decode()


def parts_of(identifier: str, kind: str) -> list[str]:
    """What an id was made of. Raises Missing where it is none of this kind."""
    try:
        text = base64.b64decode(identifier, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise Missing(f"{kind.lower()} {identifier!r} not found") from error
    found, *parts = text.split(":")
    if found != kind or not parts:
        raise Missing(f"{kind.lower()} {identifier!r} not found")
    return parts


def row_id_of(identifier: str, kind: str) -> int:
    """The row that an id stands for. Raises Missing where it is none of this kind."""
    last = parts_of(identifier, kind)[-1]
    if not last.isdigit():
        raise Missing(f"{kind.lower()} {identifier!r} not found")
    return int(last)
