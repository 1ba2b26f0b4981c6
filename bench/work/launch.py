"""Runs a command on the cores that were named, and writes what it used.

Usage: launch.py REPORT CORES COMMAND…   (CORES: "0,1")

A process of its own because `ru_maxrss` never falls below what the process that called exec had:
started from here the floor is this small interpreter (no pathlib, no more imports than these),
whatever the benchmark itself has in memory.
"""

import json
import os
import sys
import time

report, cores, command = sys.argv[1], sys.argv[2], sys.argv[3:]
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {int(core) for core in cores.split(",")})
begin = time.perf_counter()
child = os.posix_spawnp(command[0], command, os.environ)
_, status, usage = os.wait4(child, 0)
wall = time.perf_counter() - begin
with open(report, "w", encoding="ascii") as out:  # noqa: PTH123
    unit = 1 if sys.platform == "darwin" else 1024
    json.dump(
        {
            "exit_code": os.waitstatus_to_exitcode(status),
            "wall_seconds": wall,
            "cpu_seconds": usage.ru_utime + usage.ru_stime,
            "peak_rss_bytes": usage.ru_maxrss * unit,
        },
        out,
    )
