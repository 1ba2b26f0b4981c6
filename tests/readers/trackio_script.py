"""Logs runs with trackio itself: TRACKIO_DIR and argv say where, and how many steps."""

import math
import os
import sys
from pathlib import Path

import numpy as np
import trackio

project, steps, first = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
run = trackio.init(
    project=project,
    name="first",
    group="g",
    config={"lr": 0.1, "layers": [1, 2], "nested": {"a": {"b": 1}}, "empty": {}},
    resume="allow",
    auto_log_gpu=False,
    embed=False,
)
for step in range(first, first + steps):
    trackio.log(
        {
            "loss": 1 / (step + 1),
            "count": 2**60 + 1,
            "odd": math.nan if step % 2 else math.inf,
            "flag": bool(step % 2),
            "nothing": None,
            "word": f"w{step}",
            "time": 1.5,
            "nested": {"a": {"b": step}},
            "list": [1, "two"],
        },
        step=step * 2,
    )
if first == 0:
    trackio.log(
        {
            "image": trackio.Image(np.zeros((4, 4, 3), np.uint8), caption="black"),
            "bins": trackio.Histogram(np_histogram=(np.array([1, 2]), np.array([0.0, 0.5, 1.0]))),
            "table": trackio.Table(columns=["a"], data=[[1], [2]]),
        },
        step=100,
    )
    trackio.log_system({"gpu": 0.5})
    trackio.alert("late", text="too slow", level=trackio.AlertLevel.WARN)
    home = Path(os.environ["TRACKIO_DIR"])
    saved = home / "weights.bin"
    saved.write_bytes(b"saved")
    trackio.save(saved)
    made = trackio.Artifact("set", type="dataset", description="about it", metadata={"rows": 2})
    made.add_file(str(saved))
    made = run.log_artifact(made)
trackio.finish()
if first == 0:  # another project, which uses an artifact of this one
    user = trackio.init(project=f"{project}-user", name="u", auto_log_gpu=False, embed=False)
    user.use_artifact(made)
    trackio.log({"x": 1})
    trackio.finish()
    saved.unlink()
