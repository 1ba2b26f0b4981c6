"""`./.neptune`: what the client 1.x left of an offline run."""

import os
from pathlib import Path

os.environ["NEPTUNE_PROJECT"] = "team/vision"
import neptune

run = neptune.init_run(
    mode="offline",
    name="grey-seal",
    capture_stdout=False,
    capture_stderr=False,
    capture_hardware_metrics=False,
    capture_traceback=False,
    git_ref=False,
    source_files=[],
)
run["params"] = {"lr": 0.1}
for step in range(100):
    run["train/loss"].append(1 / (step + 1), step=step, timestamp=1_700_000_000 + step)
Path("weights.bin").write_bytes(b"weights")
run["weights"].upload("weights.bin")
run.stop()
