"""Values as W&B's JSON shows them; what it cannot say stands in our own records."""

from __future__ import annotations

import base64
import json
import math
from datetime import UTC, datetime
from typing import Any

from runferry.model import Tree


def history_json(value: Tree) -> str:
    """JSON of history and summary: NaN and infinities stand bare, as W&B's clients write them."""
    return json.dumps(_plain(value), ensure_ascii=False)


def config_json(value: Tree) -> str:
    """JSON of a configuration, in which W&B takes finite numbers only: others become texts."""
    return json.dumps(_finite(_plain(value)), ensure_ascii=False, allow_nan=False)


def _plain(value: Tree) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return json.dumps(value)
    if isinstance(value, list):
        return [_finite(item) for item in value]
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    return value
