"""`./trackio/zoo.db`: a run that trackio itself logged."""

import os
import random
import uuid

os.environ["TRACKIO_DIR"] = "trackio"
chance = random.Random(7)
uuid.uuid4 = lambda: uuid.UUID(int=chance.getrandbits(128), version=4)  # the same id each time
import trackio  # noqa: E402

trackio.init(project="zoo", name="seal", config={"lr": 0.1}, auto_log_gpu=False, embed=False)
for step in range(100):
    trackio.log({"loss": 1 / (step + 1)}, step=step)
trackio.finish()
