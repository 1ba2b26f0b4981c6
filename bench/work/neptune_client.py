"""Logs what `runferry convert` brings, by the vendor's client alone, its data at hand.

No program that sends by this client can be faster: it is what bounds the headline. The server is
that of `neptune_server.py`, in this process.

Usage: neptune_client.py WORKERS LINE PROJECTS RUNS SERIES POINTS LINES FILES FILE_BYTES
(LINE: JSON, the fields of `neptune_line.Line`; POINTS of each series, LINES and FILES of each run)
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import neptune
from neptune_line import Line
from neptune_server import SlowServer
from stopwatch import answer, stopwatch

workers, line, *counts = sys.argv[1:]
projects, runs, series, points, lines, files, file_bytes = map(int, counts)
os.environ.setdefault("NEPTUNE_API_TOKEN", "simulated")
steps = [float(step) for step in range(points)]
times = [1_700_000_000.0 + step for step in steps]
content = os.urandom(file_bytes)


def log(number: int) -> None:
    run = neptune.init_run(
        project=f"simulated/project_{number % projects}",
        custom_run_id=f"run{number:03d}",
        source_files=[],
        capture_stdout=False,
        capture_stderr=False,
        capture_hardware_metrics=False,
        capture_traceback=False,
        git_ref=False,
    )
    run["config"] = {"lr": 0.001 * number, "layers": 4, "optimizer": "adam"}
    for name in range(series):
        run[f"metric_{name:02d}"].extend(steps, steps=steps, timestamps=times)
    run["console"].extend([f"line {at}" for at in range(lines)], steps=steps[:lines])
    for at in range(files):
        path = Path(f"{number}-{at}")
        path.write_bytes(content)
        run[f"files/{at}"].upload(str(path))
    run.stop()


with tempfile.TemporaryDirectory(prefix="bench-neptune-") as folder:
    os.chdir(folder)
    server = SlowServer(Path(folder))
    server.install()
    for number in range(projects):
        server.create(workspace="simulated", name=f"project_{number}")
    server.line = Line(**json.loads(line))
    server.is_begun = False
    with stopwatch() as lap, ThreadPoolExecutor(int(workers)) as pool:
        list(pool.map(log, range(runs)))
    answer(lap, {"runs": len(server.runs), "requests": server.line.requests})
