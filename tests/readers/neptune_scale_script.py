"""Logs with the real neptune-scale, offline, into a folder.

Usage: neptune_scale_script.py WHAT WORKING_FOLDER
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from neptune_scale import Run
from neptune_scale.types import File, Histogram

BEGAN = datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)


def everything() -> None:
    """All that a run can hold."""
    Path("weights.bin").write_bytes(b"weights")
    Path("gone.bin").write_bytes(b"gone")
    run = Run(
        run_id="swift-owl",
        project="team/vision",
        mode="offline",
        experiment_name="baseline",
        creation_time=BEGAN,
        fork_run_id="old-owl",
        fork_step=7.25,
        enable_console_log_capture=False,
        source_tracking_config=None,
    )
    run.log_configs({"lr": 0.1, "n": -(2**62), "flag": True, "text": "ü", "when": BEGAN})
    run.log_configs({"words": ["x", "y"]})
    run.add_tags(["a", "b"])
    run.add_tags(["g"], group_tags=True)
    run.remove_tags(["a"])
    for number in range(300):
        values = {"loss": 1 / (number + 1), "acc/top1": number / 300, "big": 1e300}
        run.log_metrics(values, step=number / 4, timestamp=BEGAN)
    run.log_metrics({"guess": 0.5}, step=1, preview=True, preview_completion=0.25, timestamp=BEGAN)
    run.log_string_series({"notes": "one", "other": ""}, step=1, timestamp=BEGAN)
    run.log_histograms(
        {"counts": Histogram(bin_edges=[0, 1, 2.5], counts=[3, 4])}, step=2, timestamp=BEGAN
    )
    run.log_histograms(
        {"densities": Histogram(bin_edges=[0, 1, 2], densities=[0.25, 0.75])},
        step=2,
        timestamp=BEGAN,
    )
    run.assign_files({"weights": "weights.bin", "gone": "gone.bin"})
    run.assign_files({"memory": File(b"in memory", mime_type="text/plain")})
    run.log_files({"samples": File(b"\x89PNG\r\n\x1a\n", mime_type="image/png")}, step=3)
    run.close()
    Path("gone.bin").unlink()


def console() -> None:
    """A run whose lines are captured."""
    run = Run(run_id="talker", project="team/vision", mode="offline")
    print("line 1")
    print("line 2")
    run.close()


def growing() -> None:
    """A run that waits for a line from outside before it logs on, and is killed."""
    run = Run(
        run_id="grows", project="team/vision", mode="offline", enable_console_log_capture=False
    )
    for number in range(100):
        run.log_metrics({"loss": float(number)}, step=number, timestamp=BEGAN)
        if number == 49:
            run.add_tags(["half"])
            print("half", flush=True)
            sys.stdin.readline()
    run.add_tags(["all"])
    print("done", flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    os.chdir(sys.argv[2])
    {"everything": everything, "console": console, "growing": growing}[sys.argv[1]]()
