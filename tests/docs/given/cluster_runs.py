"""`./scratch`: what three nodes without a network left, W&B's offline runs and event files."""

import os
import shutil
import sys
import time
from pathlib import Path

sys.modules["comet_ml"] = None  # type: ignore[assignment]  # which tensorboardX would import
from tensorboardX import SummaryWriter  # noqa: E402

for node, run in zip(
    ("node1", "node2"), sorted(Path(os.environ["EXAMPLES"], "wandb").iterdir()), strict=True
):
    shutil.copytree(run, Path("scratch", node, "wandb", run.name))
shutil.copytree("scratch/node1/wandb", "scratch/node3/wandb")  # a job that was copied around
START = 1_795_294_983.5
time.time = lambda: START
with SummaryWriter(logdir="scratch/node3/runs/baseline", write_to_disk=True) as writer:
    for step in range(100):
        writer.add_scalar("train/loss", 1 / (step + 1), step)
