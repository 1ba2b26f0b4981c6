"""Logs with the real client 1.x into the folder that NEPTUNE_DATA_DIRECTORY names.

Usage: neptune_script.py WHAT WORKING_FOLDER
"""

from __future__ import annotations

import io
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import neptune
from neptune.types import File

QUIET = {
    "capture_stdout": False,
    "capture_stderr": False,
    "capture_hardware_metrics": False,
    "capture_traceback": False,
    "git_ref": False,
}
BEGAN = 1_700_000_000.25


def picture(shade: int) -> bytes:
    from PIL import Image

    content = io.BytesIO()
    Image.new("L", (2, 2), shade).save(content, "PNG")
    return content.getvalue()


def everything() -> None:
    """All that a run can hold."""
    Path("train.py").write_text("print('train')")
    Path("lib").mkdir()
    Path("lib/net.py").write_text("net = 1")
    Path("lib/old.py").write_text("old = 1")
    Path("weights.bin").write_bytes(b"weights")
    Path("gone.bin").write_bytes(b"gone")
    run = neptune.init_run(
        mode="offline",
        name="hello",
        description="a run",
        tags=["a", "b"],
        source_files=["train.py", "lib"],
        **QUIET,
    )
    run["sys/group_tags"].add(["g"])
    run["params"] = {"lr": 0.1, "n": 2**31 - 1, "flag": True, "text": "ü", "empty": ""}
    run["when"] = datetime(2024, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
    for number in range(300):
        run["train/loss"].append(1 / (number + 1), step=number / 4, timestamp=BEGAN + number)
    run["val"].extend([1.5, 2.5, 3.5], steps=[0, 10, 20], timestamps=[BEGAN, BEGAN, BEGAN])
    run["plain"].append(1.0, timestamp=BEGAN)
    run["notes"].extend(["one", "two"], timestamps=[BEGAN, BEGAN + 1])
    run["monitoring/stdout"].extend(["line 1\n", "line 2\n"], timestamps=[BEGAN, BEGAN])
    for number in range(2):
        image = File.from_content(picture(number), extension="png")
        run["pictures"].append(image, step=number, name=f"n{number}", description=f"d{number}")
    run["weights"].upload("weights.bin")
    run["gone"].upload("gone.bin")
    run["memory"].upload(File.from_content("in memory", extension="txt"))
    run["set"].upload_files(["lib/*.py"])
    run["set"].delete_files(["lib/old.py"])
    run["dataset"].track_files("lib", destination="there")
    run["words"].add(["x", "y", "z"])
    run["words"].remove(["y"])
    run["cleared"].add(["x"])
    run["cleared"].clear()
    run["deleted"] = 1
    del run["deleted"]
    run["lost"].append(1.0)
    del run["lost"]
    run["copied"] = "value"
    run.stop()
    Path("gone.bin").unlink()


def growing() -> None:
    """A run that waits for a line from outside before it logs on, and never stops."""
    run = neptune.init_run(mode="offline", name="grows", **QUIET)
    for number in range(1000):
        run["loss"].append(float(number), timestamp=BEGAN)
        if number % 100 == 0:
            run[f"atom/{number}"] = number
        if number == 499:
            run["sys/tags"].add(["half"])
            run.wait()
            print("half", flush=True)
            sys.stdin.readline()
    run["sys/tags"].add(["all"])
    run.wait()
    print("done", flush=True)
    os._exit(0)


def models() -> None:
    """A model, and a project's own metadata."""
    model = neptune.init_model(key="MOD", name="net", mode="offline")
    model["signature"] = "x -> y"
    model.stop()
    project = neptune.init_project(mode="offline", project="team/vision")
    project["general/brief"] = "what it is about"
    project.stop()


if __name__ == "__main__":
    os.chdir(sys.argv[2])
    {"everything": everything, "growing": growing, "models": models}[sys.argv[1]]()
