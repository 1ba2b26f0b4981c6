"""`./trackio/zoo.db`: a run that trackio itself logged."""

import os

os.environ["TRACKIO_DIR"] = "trackio"
import trackio

trackio.init(project="zoo", name="seal", config={"lr": 0.1}, auto_log_gpu=False, embed=False)
for step in range(100):
    trackio.log({"loss": 1 / (step + 1)}, step=step)
trackio.finish()
