"""How much memory this process has needed at most."""

from __future__ import annotations

import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")


def peak_bytes() -> int:
    """The largest resident size, of this program alone.

    `getrusage` would not do where there is /proc: there a process begins with the size of the one
    that started it, so that what a large test runner starts seems as large.
    """
    if _STATUS.is_file():
        line = next(row for row in _STATUS.read_text().splitlines() if row.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024)
