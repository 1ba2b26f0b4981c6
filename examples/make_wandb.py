"""Makes examples/wandb: two short offline runs, as the W&B client itself writes them.

    pip install 'wandb==0.31.*' numpy pillow
    python examples/make_wandb.py

Nothing of the machine goes in: no host, user, e-mail address, path, program or hardware.
"""

from __future__ import annotations

import math
import os
import random
import shutil
import tempfile
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parent
RUNS = (
    ("8kq2v1xd", "gentle-tide", 0.003, 125),
    ("c04mzp7e", "steep-coast", 0.3, 40),
)


def train(run_id: str, name: str, learning_rate: float, steps: int) -> None:
    """Log a training that never happened."""
    import numpy as np
    import wandb

    chance = random.Random(run_id)
    run = wandb.init(
        id=run_id,
        name=name,
        project="ferry-example",
        group="learning-rates",
        job_type="train",
        tags=["example", "two-moons"],
        notes="A made-up training for the README.",
        config={
            "seed": 7,
            "model": {"kind": "mlp", "widths": [64, 64], "dropout": None},
            "optimizer": {"name": "adamw", "learning_rate": learning_rate},
        },
        settings=wandb.Settings(
            mode="offline",
            host="example",
            username="example",
            email="",
            program="train.py",
            program_relpath="train.py",
            console="off",
            silent=True,
            disable_git=True,
            disable_code=True,
            x_disable_meta=True,
            x_disable_stats=True,
            x_save_requirements=False,
            x_disable_machine_info=True,
        ),
    )
    # The client logs each table a second time as an artifact, under a staging path of the machine.
    run.log_artifact = lambda *_, **__: None  # type: ignore[method-assign]
    run.define_metric("val/accuracy", summary="max")
    loss = 1.0
    for step in range(steps):
        loss = loss * (1 - 0.4 * learning_rate) + learning_rate**2 * chance.gauss(0, 0.3)
        row: dict[str, object] = {
            "train/loss": abs(loss) + 0.02 * chance.random(),
            "lr": learning_rate * (1 + math.cos(math.pi * step / steps)) / 2,
        }
        if learning_rate > 0.1 and step == steps - 1:
            row["train/loss"] = math.nan
        if step % 25 == 24:
            row["val/accuracy"] = 1 - abs(loss) / 2
            row["weights"] = wandb.Histogram(np.random.default_rng(step).normal(size=200))
            row["phase"] = "warm-up" if step < 50 else "cosine"
        run.log(row)
    pixels = np.add.outer(np.arange(32), np.arange(32)).astype(np.uint8) * 4
    run.log(
        {
            "boundary": wandb.Image(pixels, caption="decision boundary"),
            "confusion": wandb.Table(["true", "moon 0", "moon 1"], [[0, 48, 2], [1, 5, 45]]),
        }
    )
    run.finish()


def ship(folder: Path, kept: Path) -> None:
    """Copy of a run what is shipped: the `.wandb` file and the media."""
    for file in sorted(folder.rglob("*")):
        inside = file.relative_to(folder)
        is_media = inside.parts[:2] == ("files", "media")
        if not file.is_file() or not (is_media or file.suffix == ".wandb"):
            continue
        (kept / inside).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, kept / inside)


def main() -> None:
    """Train elsewhere, and keep what is shipped."""
    target = EXAMPLES / "wandb"
    with tempfile.TemporaryDirectory() as scratch:
        os.environ.update(WANDB_DIR=scratch, WANDB_DATA_DIR=scratch, WANDB_CACHE_DIR=scratch)
        for recipe in RUNS:
            train(*recipe)
        shutil.rmtree(target, ignore_errors=True)
        for folder in sorted(Path(scratch, "wandb").glob("offline-run-*")):
            ship(folder, target / folder.name)


if __name__ == "__main__":
    main()
