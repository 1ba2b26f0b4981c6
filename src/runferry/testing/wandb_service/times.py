"""Times as the service spells them: ISO 8601 in UTC, by the second."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> str:
    """The time now."""
    return spelled(datetime.now(UTC))


def spelled(time: datetime | str) -> str:
    """A time as the service spells it; text is taken as it is."""
    if isinstance(time, str):
        return time
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
