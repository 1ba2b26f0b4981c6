"""All kinds of data that a store of exact runs holds, as `Limits.holds` calls them."""

from __future__ import annotations

from typing import Final, get_args

from runferry.model import MediaType

KINDS: Final = (
    "scalar", "text", "histogram", *get_args(MediaType), "config", "summary", "environment",
    "other", "console", "file", "artifact", "document", "raw",
)  # fmt: skip
