"""`./runs`: what tensorboardX logged on a machine called gpu-7."""

import socket
import sys
import time

import numpy as np

socket.gethostname = lambda: "gpu-7"

sys.modules["comet_ml"] = None  # type: ignore[assignment]  # which tensorboardX would import
from tensorboardX import SummaryWriter  # noqa: E402

START = 1_795_294_983.5


def log(folder: str) -> None:
    """A training of 200 steps."""
    clock = iter(START + number / 64 for number in range(10_000))
    time.time = lambda: next(clock)
    with SummaryWriter(logdir=folder, write_to_disk=True) as writer:
        for step in range(200):
            writer.add_scalar("train/loss", 1 / (step + 1), step)
            writer.add_scalars("accuracy", {"top1": step / 250, "top5": step / 200}, step)
        writer.add_text("notes", "a *short* training", 0)
        writer.add_histogram("layer1/weight", np.linspace(-1, 1, 100), 0)
        writer.add_image("input", np.zeros((3, 8, 8), np.uint8), 0)
        writer.add_hparams({"lr": 0.1}, {"best": 0.9})  # of several the client changes the order


log("runs/resnet/version_0")
