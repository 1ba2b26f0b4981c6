"""Converts to Neptune by `runferry convert`, in this process, which is also the slow server.

The clock runs from the command's start to its end: pulled, pushed and verified. Neptune is that of
`neptune_server.py`.

Usage: neptune_convert.py SOURCE DESTINATION ARCHIVE WORKERS LINE [MODELS]
(LINE: JSON, the fields of `neptune_line.Line`. MODELS: a folder; its files are those of models and
versions of the project `simulated/models`)
"""

from __future__ import annotations

import json
import math
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import as_runferry_starts  # noqa: F401  before the simulated server imports the client
from neptune_line import Line
from neptune_models import put_models
from neptune_server import SlowServer
from stopwatch import answer, stopwatch

from runferry.cli.verbs import app
from runferry.registry import reader, writer

BUNDLE = "runferry/bundle"


def facts_of(server: SlowServer) -> dict[str, Any]:
    """What the server holds as runs: how many, their values and their exact sum, their bytes."""
    runs = {one.id: project for (project, _), one in server.runs.items()}
    numbers, lines = [], 0
    for container in runs:
        values = [value for rows in server.series[container].values() for _, _, value in rows]
        numbers += [value for value in values if isinstance(value, float)]
        lines += sum(isinstance(value, str) for value in values)
    files = [
        path
        for container in runs
        for attribute, members in server.files[container].items()
        if attribute != BUNDLE
        for path in members.values()
    ]
    return {
        "runs": len(runs),
        "projects": len(set(runs.values())),
        "points": len(numbers),
        "sum": math.fsum(numbers),
        "lines": lines,
        "files": len(files),
        "bytes": sum(path.stat().st_size for path in files),
    }


source, destination, archive, workers, line, *models = sys.argv[1:]
os.environ.setdefault("NEPTUNE_API_TOKEN", "simulated")  # which `convert` asks for first
reader("wandb")
writer("neptune")
with tempfile.TemporaryDirectory(prefix="bench-neptune-") as folder:
    os.chdir(folder)  # the log goes there, and no folder here is called as the workspace is
    server = SlowServer(Path(folder))
    server.install()
    if models:
        put_models(server, Path(models[0]))
    server.line = Line(**json.loads(line))
    server.is_begun = False
    command = [
        *("convert", source, destination, "--archive", archive),
        *("--workers", workers, "--allow", "dropped", "--quiet"),
    ]
    with stopwatch() as lap:
        try:
            app(command, prog_name="runferry")
        except SystemExit as end:
            if end.code:
                raise  # what is wrong is on stderr, which the benchmark shows
    used = {
        "requests": server.line.requests,
        "down_bytes": server.line.down_bytes,
        "up_bytes": server.line.up_bytes,
    }
    answer(lap, {"facts": facts_of(server), "line": used})
