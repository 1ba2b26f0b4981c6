"""The bytes of what was read."""

from __future__ import annotations

from runferry.model import Blob


def bytes_of(blob: Blob) -> bytes | None:
    """None if they are not there, whatever is known of them."""
    if blob.open is None:
        return None
    with blob.open() as stream:
        return stream.read()
