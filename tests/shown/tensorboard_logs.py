"""Event files with something of every kind, by the SDK, and what is seen of them."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from tensorboardX import SummaryWriter
from tensorboardX.summary import hparams
from tests.shown.tensorboard_page import Curve, Seen
from tests.shown.tensorboard_server import DataPath

BOTH_PATHS = pytest.mark.parametrize("data_path", get_args(DataPath))

STEPS = 20

SOUND_RATE = 44_100

REACHED = 101  # of 127 thresholds: TensorBoard leaves out those above every score

PARTS = ("a", "b", "c", "d")  # TensorBoard folds sections up after the third


def log_with_the_sdk(folder: Path) -> Seen:
    """A run with something of every kind and one beside it; returns what must be seen."""
    with SummaryWriter(str(folder / "first")) as writer:
        for step in range(STEPS):
            writer.add_scalar("train/loss", 1 / (step + 1), step)
            writer.add_scalar("train/accuracy", np.nan if step == 3 else step / STEPS, step)
            writer.add_histogram("weights", np.linspace(-1, 1 + step, 50), step)
        for part in PARTS:
            writer.add_scalar(f"{part}/size", 1, 0)
        picture = np.zeros((3, 40, 60), np.uint8)
        picture[0] = 200
        writer.add_image("sample/picture", picture, 7)
        writer.add_text("notes", "hello **ferry**", 1)
        writer.add_pr_curve("quality", np.array([0, 1, 1]), np.array([0.1, 0.8, 0.6]), 2)
        writer.add_audio("tone", np.sin(np.arange(SOUND_RATE) / 10), 1, SOUND_RATE)
        for summary in hparams({"lr": 0.1, "optimizer": "adam"}, {"train/loss": 0}):
            writer.file_writer.add_summary(summary)
    with SummaryWriter(str(folder / "second")) as writer:
        writer.add_scalar("train/loss", 2000, 5)
    return Seen(
        scalars={
            ("first", "train/accuracy"): Curve(STEPS - 1, triangles=1),
            ("first", "train/loss"): Curve(STEPS),
            ("second", "train/loss"): Curve(1),
            **{("first", f"{part}/size"): Curve(1) for part in PARTS},
        },
        latest={
            ("first", "train/accuracy"): "0.95",
            ("first", "train/loss"): "0.05",
            ("second", "train/loss"): "2,000",
            **{("first", f"{part}/size"): "1" for part in PARTS},
        },
        images={("first", "sample/picture"): [(60, 40)]},
        audio={("first", "tone"): 1.0},
        texts={("first", "notes/text_summary"): "hello ferry"},
        histograms={("first", "weights"): STEPS},
        pr_curves={("first", "quality"): REACHED},
        hparams=[
            {"Trial ID": "first", "Show Metrics": "", "lr": "0.10000", "optimizer": "adam",
             "train/loss": "0.050000"},
        ],
    )  # fmt: skip
