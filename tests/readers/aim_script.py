"""Logs runs with Aim itself into the repository argv[1]; argv[2] is how many steps."""

import math
import os
import sys
from pathlib import Path

import aim
import numpy as np

repo, steps = sys.argv[1], int(sys.argv[2])
run = aim.Run(repo=repo, experiment="exp", log_system_params=False, capture_terminal_logs=True)
run.name, run.description = "my run", "about it"
run.add_tag("t1")
run["hparams"] = {"lr": 0.1, "layers": [1, 2], "nested": {"a": {"b": True}}, "none": None, "e": {}}
for step in range(steps):
    run.track(1 / (step + 1), name="loss", step=step, epoch=step // 2, context={"subset": "train"})
    run.track(math.nan if step % 2 else math.inf, name="odd", step=step * 2)
    run.track(2**53 + step, name="count", step=step)
run.track(0.5, name="part", step=1.5, epoch=0.25)
run.track(0.25, name="part", step=-0.5)
run.track(aim.Text("hello"), name="txt", step=3, epoch=2)
picture = aim.Image(np.zeros((4, 4, 3), np.uint8), caption="black")
run.track([picture, aim.Image(np.ones((4, 4, 3), np.uint8))], name="pictures", step=1)
run.track(aim.Distribution(np.arange(8.0), bin_count=4), name="bins", step=0)
print("printed", "by it")
run.set_artifacts_uri(f"file://{repo}/../kept")
plain = Path(repo).parent / "file.txt"
plain.write_text("x")
run.log_artifact(str(plain), name="file.txt")
run.close()
cut = aim.Run(
    repo=repo, experiment="other", capture_terminal_logs=False, system_tracking_interval=None
)
for step in range(steps):
    cut.track(step * 0.5, name="a", step=step)
sys.stdout.flush()
os._exit(0)  # as a killed one: never closed
