"""A real experiment of sacred: python sacred_script.py RUNS_FOLDER STEPS OUTCOME."""

import sys
from pathlib import Path

import numpy as np
from sacred import SETTINGS, Experiment
from sacred.observers import FileStorageObserver

RUNS, STEPS, OUTCOME = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
SETTINGS.CAPTURE_MODE = "sys"

experiment = Experiment("exp", save_git_info=False)
experiment.observers.append(FileStorageObserver(RUNS))
experiment.add_config(
    lr=0.1, big=2**70, empty={}, net={"layers": [1, 2], "none": None}, array=np.arange(3.0)
)


@experiment.main
def main(_run):
    (RUNS.parent / "res.txt").write_text("resource")
    (RUNS.parent / "model.pt").write_bytes(b"weights")
    for step in range(STEPS):
        _run.log_scalar("train.loss", 1 / (step + 1), step)
        _run.log_scalar("acc", np.float32(0.1), step * 10)
        _run.log_scalar("count", np.int64(2**60 + 1))
        _run.log_scalar("odd", float("nan") if step % 2 else None, step)
    _run.info["scalar"] = np.float32(2.5)
    _run.info["grid"] = np.arange(4).reshape(2, 2)
    _run.info["set"] = {1}
    _run.add_resource(RUNS.parent / "res.txt")
    _run.add_artifact(RUNS.parent / "model.pt", name="best.pt")
    print("hello\nworld")
    if OUTCOME == "fail":
        raise ValueError("oh")
    return {"score": np.float64(0.5)}


try:
    experiment.run()
except ValueError:
    print("failed as asked")
