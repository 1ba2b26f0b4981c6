"""Trains with Lightning, a few steps on the processor, once for each set of loggers.

Usage: lightning_script.py lightning.pytorch|pytorch_lightning

What each training logged is mirrored to `jsonl:./mirrored/NAME`. The last line that is printed is
what `stop_logging` told of each, as JSON.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import sys
import warnings
from typing import Any

from runferry.live import interfaces

warnings.simplefilter("ignore")
os.environ |= {
    "MLFLOW_ALLOW_FILE_STORE": "true",
    "WANDB_ERROR_REPORTING": "false",
    "WANDB_SILENT": "true",
}


def mirrored(name: str) -> str:
    """Begin to mirror to a place of this name, with all that there is."""
    place = f"jsonl:./mirrored/{name}"
    interfaces.sync_wandb(to=place)
    interfaces.sync_tensorboard(to=place)
    interfaces.sync_mlflow(to=place)
    interfaces.sync_lightning(to=place)
    return place


package = sys.argv[1]
mirrored("none")  # before Lightning is imported; the hooks of the others come after
import torch  # noqa: E402

loggers = importlib.import_module(f"{package}.loggers")
lightning = importlib.import_module(package)
logging.disable(logging.WARNING)


class Net(lightning.LightningModule):  # type: ignore[misc, name-defined]
    """Logs a loss, and now and then something to its loggers directly."""

    def __init__(self, lr: float = 0.1, deep: dict[str, object] | None = None) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.layer = torch.nn.Linear(4, 1)

    def training_step(self, batch: Any, index: int) -> Any:
        loss = self.layer(batch[0]).pow(2).mean()
        self.log("loss", loss, on_step=True, on_epoch=True)
        self.log("shown", 1.0, logger=False, prog_bar=True)
        if index == 2:
            for one in self.loggers:
                one.log_metrics({"direct": 1.0}, step=self.global_step)
        if index == 3:
            for last in self.loggers[-1:]:
                last.log_metrics({"alone": 1.0}, step=self.global_step)
        if index == 3 and self.hparams.lr > 1:
            raise LookupError
        return loss

    def validation_step(self, batch: Any, index: int) -> None:
        self.log("val", self.layer(batch[0]).mean())

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), 0.01)


class Custom(loggers.Logger):  # type: ignore[misc, name-defined]
    """Somebody's own."""

    name, version = "mine", "0.1"

    def log_metrics(self, metrics: Any, step: Any) -> None:
        """Nowhere."""

    def log_hyperparams(self, params: Any, *_: object, **__: object) -> None:
        """Nowhere."""


class Below(Custom):
    """One that asks the class above."""

    def log_metrics(self, metrics: Any, step: Any) -> None:
        super().log_metrics(metrics, step)


def trainer(logger: object, ranks: int = 1) -> Any:
    """Two epochs of four steps, which all ranks share."""
    return lightning.Trainer(
        accelerator="cpu", devices=ranks, strategy="auto" if ranks == 1 else "ddp_fork",
        max_epochs=2, logger=logger, log_every_n_steps=1,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip


def fit(on: Any, lr: float = 0.1) -> None:
    """Train."""
    points = torch.utils.data.TensorDataset(torch.ones(8, 4))
    data = torch.utils.data.DataLoader(points, 2)
    on.fit(Net(lr, {"er": 2}), data, data)


MADE = {
    "none": lambda: False,
    "csv": lambda: loggers.CSVLogger("logs"),
    "custom": lambda: Below(),
    "tensorboard": lambda: loggers.TensorBoardLogger("events"),
    "wandb": lambda: loggers.WandbLogger(project="p", offline=True),
    "mlflow": lambda: loggers.MLFlowLogger("p", tracking_uri="file:./mlruns"),
    "two": lambda: [loggers.CSVLogger("logs-two"), Custom()],
    "beside": lambda: [loggers.TensorBoardLogger("events-beside"), loggers.CSVLogger("beside")],
}

told = {}
for name, made in MADE.items():
    mirrored(name)
    fit(trainer(made()))
    told |= interfaces.stop_logging(60)

mirrored("broken")
try:
    fit(trainer(Custom()), lr=2.0)
except LookupError:
    told |= interfaces.stop_logging(60)

again = trainer(loggers.CSVLogger("logs-again"))
fit(again)  # this is not mirrored
mirrored("again")
again.fit_loop.max_epochs = 3
fit(again)
told |= interfaces.stop_logging(60)

of_fabric = {"lightning.pytorch": "lightning.fabric", "pytorch_lightning": "lightning_fabric"}
for name, given in (("fabric", [loggers.CSVLogger("logs-fabric")]), ("fabric-alone", [])):
    mirrored(name)
    fabric = importlib.import_module(of_fabric[package]).Fabric(
        accelerator="cpu", devices=1, loggers=given
    )
    for step in range(5):
        fabric.log("loss", torch.tensor(float(step)), step=step)
    told |= interfaces.stop_logging(60)

mirrored("ranks")
fit(trainer(False, ranks=2))
told |= interfaces.stop_logging(60)

interfaces.start_logging("all", backend="jsonl:./mirrored/experiment")
fit(trainer(loggers.CSVLogger("logs-experiment")))
told |= interfaces.stop_logging(60)
print(json.dumps(told))
