"""`python -m bench [NAME…] [--quick] [--json FILE]`: the table of docs/benchmarks.md."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rich.console import Console

from bench import environments, report
from bench.child import ChildFailed
from bench.report import Row
from bench.rows import (
    aim,
    archive,
    author,
    clearml,
    decode,
    help_time,
    live,
    memory,
    mlflow_push,
    neptune,
    operation,
    service,
    small_runs,
    swanlab,
    tensorboard,
    trackio,
)
from bench.scratch import clear_spent
from bench.size import FULL, QUICK, Size

ROWS: dict[str, Callable[[Size], Iterator[Row]]] = {
    "help": help_time.measure,
    "decode": decode.measure,
    "archive": archive.measure,
    "small-runs": small_runs.measure,
    "mlflow": mlflow_push.measure,
    "memory": memory.measure,
    "tensorboard": tensorboard.measure,
    "service": service.measure,
    "operation": operation.measure,
    "author": author.measure,
    "aim": aim.measure,
    "clearml": clearml.measure,
    "neptune": neptune.measure,
    "swanlab": swanlab.measure,
    "trackio": trackio.measure,
    "live": live.measure,
}
GROUPS = {"writers": ("swanlab", "clearml", "trackio", "aim")}
"""What is measured together under one name."""

_NAMES = (*ROWS, *GROUPS)


def main(arguments: list[str]) -> int:
    """Measure the rows that were named, or all; 1 if one failed or its outputs differ."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(_NAMES)}")
    parser.add_argument("--quick", action="store_true", help="small inputs; ratios mean nothing")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here as well")
    asked = parser.parse_args(arguments)
    strangers = sorted(set(asked.names) - {*_NAMES})
    if strangers:
        parser.error(f"no row {', '.join(strangers)}; there are {', '.join(_NAMES)}")

    progress = Console(stderr=True)
    size = QUICK if asked.quick else FULL
    machine = report.machine()
    rows: list[Row] = []
    for name in _rows_of(asked.names):
        progress.print(f"measuring {name} …", style="dim")
        rows += _measured(name, size)
        clear_spent()
    console = Console(width=None if sys.stdout.isatty() else 200)
    report.show(rows, console)
    if asked.quick:
        console.print("--quick: small inputs, so neither ratios nor verdicts mean anything")
    if asked.json:
        peers = [str(peer) for peer in environments.PEERS if peer.is_there]
        figures = report.as_json(rows, machine, is_quick=asked.quick, peers=peers)
        asked.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return int(any(row.verdict in ("outputs differ", "failed") for row in rows))


def _rows_of(names: Sequence[str]) -> Sequence[str]:
    """The rows of names and of groups, each once; all without a name."""
    return list(dict.fromkeys(row for name in names or ROWS for row in GROUPS.get(name, (name,))))


def _measured(name: str, size: Size) -> list[Row]:
    try:
        return list(ROWS[name](size))
    except ChildFailed as failure:
        return [Row(name, name, "", "", None, "", "failed", str(failure))]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
