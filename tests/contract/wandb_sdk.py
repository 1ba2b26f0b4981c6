"""A W&B folder made by wandb itself, offline, with one of everything that it logs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_SCRIPT = r"""
import math, sys
import numpy as np
import wandb

run = wandb.init(
    mode="offline", project="contract", name="one of everything", group="g", job_type="train",
    tags=["a", "b"], notes="notes", dir=sys.argv[1], id="everything",
    config={"lr": 0.1, "nested": {"deep": [1, {"x": None}]}, "nan": math.nan, "empty": {}},
)
run.define_metric("val/loss", step_metric="epoch", summary="min")
print("hello from the run")
for step in range(12):
    run.log({
        "loss": 1 / (step + 1), "a/b": step, "a_b": -step, "a": {"b": step / 8}, "epoch": step // 4,
        "val/loss": [math.nan, math.inf, -math.inf, 0.5][step % 4], "flag": step % 2 == 0,
        "big": 2**60 + step, "word": "w" * step, "list": [step, None],
    })
run.log({"gap": 1.0}, step=40)
run.log({
    "hist": wandb.Histogram(np_histogram=([1, 2, 3], [0.0, 0.5, 1.0, 1.5])),
    "table": wandb.Table(columns=["a", "b"], data=[[1, "x"], [2, "y"]]),
    "images": [wandb.Image(np.full((4, 4, 3), n, dtype=np.uint8), caption=f"c{n}") for n in (0, 9)],
    "html": wandb.Html("<script>1</script>"),
}, step=41)
artifact = wandb.Artifact("weights", type="model", metadata={"acc": 0.5})
with artifact.new_file("w.bin", mode="wb") as file:
    file.write(b"weights")
run.log_artifact(artifact)
run.summary["best"] = {"epoch": 3}
print("bye")
run.finish(exit_code=0)
"""


def make_wandb_folder(root: Path) -> Path:
    """Run the script in a process of its own; returns the `wandb` folder."""
    root.mkdir(parents=True, exist_ok=True)
    silent = {"WANDB_SILENT": "true", "WANDB_CONSOLE": "wrap", "WANDB_ERROR_REPORTING": "false"}
    subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(root)],
        check=True,
        cwd=root,
        env={**os.environ, **silent, "WANDB_CACHE_DIR": str(root / "cache")},
        stdout=subprocess.DEVNULL,
        timeout=120,
    )
    return root / "wandb"
