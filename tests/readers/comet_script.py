"""Logs an experiment with Comet's own OfflineExperiment into the folder argv[1]."""

import math
import sys
from pathlib import Path

import comet_ml
import numpy as np

folder = Path(sys.argv[1])
plain = folder / "plain.txt"
plain.write_text("bytes")
experiment = comet_ml.OfflineExperiment(
    project_name="proj",
    workspace="team",
    offline_directory=str(folder),
    auto_output_logging="simple",
    log_env_gpu=False,
    log_env_cpu=False,
    log_env_network=False,
    log_env_disk=False,
)
experiment.set_name("my run")
experiment.add_tags(["t1", "t2"])
experiment.log_parameters({"lr": 0.1, "nested": {"a": 1, "b": [1, 2]}, "word": "x"})
experiment.log_parameter("lr", 0.2)
for step in range(5):
    experiment.log_metric("loss", 1 / (step + 1), step=step, epoch=step // 2)
    experiment.log_metrics({"acc": step, "odd": math.nan if step % 2 else math.inf}, step=step)
with experiment.train():
    experiment.log_metric("loss", 0.5, step=1)
experiment.log_metric("big", 2**60 + 1, step=0)
experiment.log_other("note", "v")
experiment.log_text("hello text", step=2, metadata={"by": "me"})
experiment.log_audio(np.zeros(80, np.float32), 8000, file_name="a.wav", step=2)
experiment.log_parameter("late", 1, step=4)
experiment.log_image(np.full((4, 4, 3), 7, np.uint8), name="img", step=3)
experiment.log_html("<b>x</b>")
experiment.log_histogram_3d(np.arange(50.0), name="h", step=1)
experiment.log_asset(str(plain), file_name="dir/f.txt", metadata={"m": 1})
experiment.log_remote_asset("s3://bucket/k", remote_file_name="far")
experiment.log_asset(str(plain), step=5, overwrite=True)
experiment.log_model("net", str(plain))
print("printed", end="")
print(" at once")
experiment.end()
