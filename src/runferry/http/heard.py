"""Which servers have answered this process: those are waited for, and no others for long."""

from __future__ import annotations

from typing import Final

HEARD: Final[set[str]] = set()
"""Their addresses, of all clients: each worker has one of its own."""
