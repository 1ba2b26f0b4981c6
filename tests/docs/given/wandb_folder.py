"""`./wandb`, as W&B's client left it: the two runs of the examples."""

import shutil

shutil.copytree("examples/wandb", "wandb")
