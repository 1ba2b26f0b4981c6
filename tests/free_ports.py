"""Ports for servers that have to be told one when they are begun."""

from __future__ import annotations

import random
import socket
from pathlib import Path

_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_USUAL_LOWEST = 32_768
_LOWEST = 20_000


def free_port() -> int:
    """One that nobody listens on, and that the system gives to nobody who asks for any: so it is
    still free when the server, which takes its time, asks for it.
    """
    handed_out_from = int(_RANGE.read_text().split()[0]) if _RANGE.exists() else _USUAL_LOWEST
    among = range(_LOWEST, handed_out_from if handed_out_from > _LOWEST else _USUAL_LOWEST)
    while True:
        port = random.SystemRandom().choice(among)  # tests that run beside seed theirs alike
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
