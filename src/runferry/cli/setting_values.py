"""A setting's value as text that would set it again; credentials left out."""

from __future__ import annotations

from runferry.losses import Fate
from runferry.redact import without_credentials
from runferry.settings import Settings


def spelled(settings: Settings, name: str) -> str | None:
    """None for a setting that is not set."""
    value = getattr(settings, name)
    if value is None:
        return None
    if isinstance(value, Fate):
        return value.label
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    return without_credentials(str(value))
