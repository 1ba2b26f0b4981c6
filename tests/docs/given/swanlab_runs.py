"""`./swanlog`: a run that SwanLab's own client logged offline."""

import os

os.environ["SWANLAB_API_HOST"] = "http://127.0.0.1:9"
import swanlab

run = swanlab.init(
    project="zoo",
    experiment_name="otter",
    config={"lr": 0.1},
    mode="offline",
    logdir="swanlog",
    id="otter0000000000000000",
)
for step in range(100):
    swanlab.log({"loss": 1 / (step + 1)}, step=step)
swanlab.finish()
